/*
 * special.c: which mailbox is for drafts, sent mail and so on.
 * Runs as: mail user.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "maildir/maildir.h"
#include "maildir/tree/tree.h"
#include "server/conf.h"
#include "server/imap/mailboxes.h"
#include "server/imap/session.h"
#include "server/imap/special.h"
#include "server/reader/reader.h"

enum { NAMES_MAX = 40 };

/*
 * The names, in UTF-8, that clients give to these folders when they make them; the English name first:
 * Thunderbird, Apple Mail, Outlook, webmails; English, German, French, Spanish, Italian, Portuguese,
 * Dutch, Polish, Czech, Danish, Swedish, Norwegian, Finnish, Hungarian, Turkish, Russian.
 */
static const struct {
	const char *use;
	const char *names[NAMES_MAX]; /* NULL after the last, where there is room */
} uses[SPECIAL_USES] = {
    [SPECIAL_DRAFTS] = {"\\Drafts",
	{"Drafts", "Draft", "Entwürfe", "Brouillons", "Borradores", "Bozze", "Rascunhos",
	    "Concepten", "Szkice", "Kopie robocze", "Koncepty", "Kladder", "Utkast", "Luonnokset",
	    "Piszkozatok", "Taslaklar", "Черновики"}},
    [SPECIAL_SENT] = {"\\Sent",
	{"Sent", "Sent Items", "Sent Messages", "Sent Mail", "Gesendet", "Gesendete Objekte",
	    "Gesendete Elemente", "Envoyés", "Messages envoyés", "Éléments envoyés", "Enviados",
	    "Elementos enviados", "Inviati", "Posta inviata", "Itens enviados", "Verzonden",
	    "Verzonden items", "Wysłane", "Elementy wysłane", "Odeslané", "Odeslaná pošta", "Sendt",
	    "Sendt post", "Skickat", "Lähetetyt", "Elküldött elemek", "Elküldött",
	    "Gönderilmiş Öğeler", "Отправленные"}},
    [SPECIAL_TRASH] = {"\\Trash",
	{"Trash", "Deleted Items", "Deleted Messages", "Deleted", "Bin", "Papierkorb",
	    "Gelöschte Objekte", "Gelöschte Elemente", "Corbeille", "Éléments supprimés",
	    "Papelera", "Elementos eliminados", "Cestino", "Posta eliminata", "Lixeira", "Lixo",
	    "Itens excluídos", "Prullenbak", "Verwijderde items", "Kosz", "Elementy usunięte",
	    "Koš", "Odstraněná pošta", "Papirkurv", "Slettet post", "Papperskorgen", "Borttaget",
	    "Roskakori", "Kuka", "Çöp Kutusu", "Корзина", "Удаленные"}},
    [SPECIAL_JUNK] = {"\\Junk",
	{"Junk", "Spam", "Junk E-mail", "Junk Mail", "Bulk Mail", "Unerwünscht", "Junk-E-Mail",
	    "Indésirables", "Courrier indésirable", "Pourriel", "Correo no deseado",
	    "Posta indesiderata", "Lixo eletrônico", "Ongewenst", "Ongewenste e-mail",
	    "Wiadomości-śmieci", "Nevyžádaná pošta", "Uønsket mail", "Uønsket e-post", "Skräppost",
	    "Roskaposti", "Levélszemét", "Önemsiz", "Спам"}},
    [SPECIAL_ARCHIVE] = {"\\Archive",
	{"Archive", "Archives", "Archiv", "Archivo", "Archivio", "Arquivo", "Archief", "Archiwum",
	    "Arkiv", "Arkisto", "Archívum", "Arşiv", "Архив"}},
};

const char *
special_name(enum special use)
{
	return uses[use].use;
}

enum special
special_of(struct word word)
{
	int use = SPECIAL_USES - 1;

	while (use > SPECIAL_NONE && !word_is(word, uses[use].use))
		use--;
	return use;
}

static const char *
setting_of(const struct conf *conf, int use)
{
	const char *const settings[SPECIAL_USES] = {
	    [SPECIAL_DRAFTS] = conf->drafts_folder,
	    [SPECIAL_SENT] = conf->sent_folder,
	    [SPECIAL_TRASH] = conf->trash_folder,
	    [SPECIAL_JUNK] = conf->junk_folder,
	    [SPECIAL_ARCHIVE] = conf->archive_folder,
	};

	return settings[use];
}

/* The folder that a setting or a usual name in UTF-8 means; false: no folder can have that name. */
static bool
folder_of(const char *name, char folder_r[IMAP_NAME_MAX])
{
	return imap_name_folder(name, strlen(name), true, folder_r) == NULL;
}

struct finding {
	struct mailboxes *all;
	struct mailboxes_node *found[SPECIAL_USES];
};

/* The first folder that is found for a use has it. */
static void
note(struct finding *f, int use, struct mailboxes_node *node)
{
	if (f->found[use] == NULL && node != NULL && node->exists)
		f->found[use] = node;
}

static bool
on_saved(void *ctx, const char *use, const char *folder)
{
	struct finding *f = ctx;

	note(f, special_of((struct word){(char *)(uintptr_t)use, strlen(use)}),
	    mailboxes_find(f->all, folder));
	return true;
}

/* Looks for a usual name in any case, also below INBOX, where Courier and Cyrus put all folders. */
static void
find_usual(struct finding *f, int use)
{
	char folder[IMAP_NAME_MAX];

	for (size_t n = 0; n < NAMES_MAX && uses[use].names[n] != NULL; n++) {
		if (!folder_of(uses[use].names[n], folder))
			continue;
		for (size_t i = 0; i < f->all->count && f->found[use] == NULL; i++) {
			const char *name = f->all->node[i].name;

			if (strncmp(name, "INBOX/", 6) == 0)
				name += 6;
			if (strcasecmp(name, folder) == 0)
				note(f, use, &f->all->node[i]);
		}
	}
}

void
special_mark(struct session *session, struct mailboxes *all)
{
	struct finding f = {.all = all};
	char folder[IMAP_NAME_MAX];
	const char *setting;

	(void)maildir_special_uses(session->maildir, on_saved, &f);
	for (int use = SPECIAL_NONE + 1; use < SPECIAL_USES; use++) {
		setting = setting_of(session->conf, use);
		if (setting != NULL && folder_of(setting, folder))
			note(&f, use, mailboxes_find(all, folder));
		if (setting == NULL && f.found[use] == NULL)
			find_usual(&f, use);
		if (f.found[use] != NULL)
			f.found[use]->special = use;
	}
}

/* Makes the folder for a use.  An error is the administrator's business, and does not end the session. */
static void
make(struct session *session, int use)
{
	const char *setting = setting_of(session->conf, use);
	char folder[IMAP_NAME_MAX];

	if (!folder_of(setting != NULL ? setting : uses[use].names[0], folder))
		return;
	if (maildir_folder_create(session->maildir, folder) == 0)
		(void)!maildir_subscribe(session->maildir, folder, true);
	else if (errno != EEXIST)
		trouble_log(&session->reader->trouble, "make special folders", errno);
}

void
special_make(struct session *session)
{
	bool have[SPECIAL_USES] = {false};
	struct mailboxes all;

	if (!session->conf->make_special_folders || mailboxes_read(session, &all) == -1)
		return;
	special_mark(session, &all);
	for (size_t i = 0; i < all.count; i++)
		have[all.node[i].special] = true;
	mailboxes_clear(&all);
	for (int use = SPECIAL_NONE + 1; use < SPECIAL_USES; use++)
		if (!have[use])
			make(session, use);
}

struct taking {
	struct session *session;
	enum special use;
	bool taken;
};

static bool
on_use(void *ctx, const char *use, const char *folder)
{
	struct taking *t = ctx;

	if (strcasecmp(use, special_name(t->use)) == 0)
		t->taken = maildir_folder_exists(t->session->maildir, folder);
	return !t->taken;
}

bool
special_taken(struct session *session, enum special use)
{
	struct taking t = {session, use, false};

	(void)maildir_special_uses(session->maildir, on_use, &t);
	return t.taken;
}
