// thunderbird.js: the part of test_thunderbird.py inside Thunderbird, which reads it as its AutoConfig file, with all
// privileges.  It makes an account, does what a person does, and writes what it sees to the file TB_OUT, a line each.
/* global Components, Services, ChromeUtils */

var Cc = Components.classes, Ci = Components.interfaces;
var environment = Cc["@mozilla.org/process/environment;1"]
	? Cc["@mozilla.org/process/environment;1"].getService(Ci.nsIEnvironment) : Services.env;
var begun = false;

function say(text) {
	let file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
	file.initWithPath(environment.get("TB_OUT"));
	let out = Cc["@mozilla.org/network/file-output-stream;1"].createInstance(Ci.nsIFileOutputStream);
	out.init(file, 0x02 | 0x08 | 0x10, 0o644, 0); // write, create, append
	let octets = unescape(encodeURIComponent(text + "\n"));
	out.write(octets, octets.length);
	out.close();
}

async function until(what, condition) {
	let { setTimeout } = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
	for (let i = 0; i < 200; i++) {
		if (condition())
			return;
		await new Promise(resolve => setTimeout(resolve, 100));
	}
	throw new Error("not in 20 s: " + what);
}

async function makeAccount(MailServices) {
	let login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
	login.init("imap://localhost", null, "imap://localhost", "anna", "sesame", "", "");
	await Services.logins.addLoginAsync(login);
	let server = MailServices.accounts.createIncomingServer("anna", "localhost", "imap");
	server.port = parseInt(environment.get("TB_PORT"));
	server.socketType = parseInt(environment.get("TB_SOCKET")); // 2 STARTTLS, 3 TLS
	server.authMethod = 3; // a normal password
	let identity = MailServices.accounts.createIdentity();
	identity.email = "anna@localhost";
	let account = MailServices.accounts.createAccount();
	account.incomingServer = server;
	account.addIdentity(identity);
	return server;
}

function folderFor(server, flag) {
	return server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags[flag]);
}

async function session() {
	let { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
	let server = await makeAccount(MailServices);
	server.performExpand(null);
	await until("the inbox", () => folderFor(server, "Inbox"));
	let inbox = folderFor(server, "Inbox");
	inbox.updateFolder(null);
	await until("two messages", () => inbox.getTotalMessages(false) == 2 && [...inbox.messages].length == 2);
	for (let m of inbox.messages)
		say(`message ${m.messageKey} ${m.mime2DecodedSubject} from ${m.mime2DecodedAuthor}`);
	for (let flag of ["Drafts", "SentMail", "Trash", "Junk", "Archive"]) {
		await until(flag, () => folderFor(server, flag));
		say(`${flag} is ${folderFor(server, flag).URI.replace(/.*\//, "")}`);
	}
	let [first, second] = [...inbox.messages];
	inbox.markMessagesRead([first], true);
	inbox.markMessagesFlagged([first], true);
	MailServices.copy.copyMessages(inbox, [second], folderFor(server, "Trash"), true, null, null, false);
	await until("the move", () => inbox.getTotalMessages(false) == 1);
	inbox.updateFolder(null);
	say("waiting");
	await until("new mail", () => inbox.getTotalMessages(false) == 2);
	say("heard of new mail");
}

Services.obs.addObserver({
	observe() {
		if (begun)
			return;
		begun = true;
		session().then(() => say("done"), e => say(`error ${e} ${e.stack}`)).then(
			() => Services.startup.quit(Ci.nsIAppStartup.eForceQuit));
	},
}, "mail-startup-done");
