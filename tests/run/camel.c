/*
 * camel.c: Evolution's mail library as a client, for test_evolution.py.  It opens INBOX of an account, reads
 * commands from standard input and answers each with a line.
 * Usage: camel PORT USER PASSWORD DIRECTORY QRESYNC(0 or 1)
 *
 *	expunge		delete the first message and expunge
 *	move FOLDER	move the first message
 *	wait N		wait until there are N messages, at most ten seconds
 *	count		print the number of messages
 */
#include <camel/camel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_TRIES = 500, WAIT_PAUSE = 20 * 1000 /* us */ };

static void
check(gboolean good, GError **error, const char *what)
{
	if (good)
		return;
	printf("failed: %s: %s\n", what,
	    error != NULL && *error != NULL ? (*error)->message : "no reason");
	exit(1);
}

/* Camel does part of its work in the main loop. */
static gpointer
run_loop(gpointer loop)
{
	g_main_loop_run(loop);
	return NULL;
}

static CamelStore *
connect_store(CamelSession *session, char **argv)
{
	GError *error = NULL;
	CamelService *service =
	    camel_session_add_service(session, "account", "imapx", CAMEL_PROVIDER_STORE, &error);
	CamelSettings *settings;

	check(service != NULL, &error, "add_service");
	settings = camel_service_ref_settings(service);
	g_object_set(settings, "host", "127.0.0.1", "port", atoi(argv[1]), "user", argv[2],
	    "security-method", CAMEL_NETWORK_SECURITY_METHOD_NONE, "auth-mechanism", "PLAIN", NULL);
	if (atoi(argv[5]) != 0) /* not Evolution's default */
		g_object_set(settings, "use-qresync", TRUE, NULL);
	g_object_unref(settings);
	camel_service_set_password(service, argv[3]);
	check(camel_offline_store_set_online_sync(CAMEL_OFFLINE_STORE(service), TRUE, NULL, &error),
	    &error, "online");
	check(camel_service_connect_sync(service, NULL, &error), &error, "connect");
	return CAMEL_STORE(service);
}

static char *
first_uid(CamelFolder *folder)
{
	GPtrArray *uids = camel_folder_get_uids(folder);
	char *uid;

	check(uids != NULL && uids->len > 0, NULL, "the folder is empty");
	camel_folder_sort_uids(folder, uids);
	uid = g_strdup(g_ptr_array_index(uids, 0));
	camel_folder_free_uids(folder, uids);
	return uid;
}

static void
expunge(CamelFolder *folder)
{
	GError *error = NULL;
	char *uid = first_uid(folder);

	camel_folder_set_message_flags(
	    folder, uid, CAMEL_MESSAGE_DELETED | CAMEL_MESSAGE_SEEN, ~(guint32)0);
	check(camel_folder_synchronize_sync(folder, TRUE, NULL, &error), &error, "synchronize");
	g_free(uid);
}

static void
move(CamelStore *store, CamelFolder *folder, const char *name)
{
	GError *error = NULL;
	CamelFolder *to = camel_store_get_folder_sync(store, name, 0, NULL, &error);
	GPtrArray *uids = g_ptr_array_new_with_free_func(g_free);

	check(to != NULL, &error, "get_folder");
	g_ptr_array_add(uids, first_uid(folder));
	check(camel_folder_transfer_messages_to_sync(folder, uids, to, TRUE, NULL, NULL, &error),
	    &error, "transfer");
	g_ptr_array_free(uids, TRUE);
	g_object_unref(to);
}

static void
wait_for(CamelFolder *folder, int count)
{
	for (int i = 0; i < WAIT_TRIES && camel_folder_get_message_count(folder) != count; i++)
		g_usleep(WAIT_PAUSE);
}

int
main(int argc, char **argv)
{
	CamelSession *session;
	CamelStore *store;
	CamelFolder *folder;
	GError *error = NULL;
	char line[256];

	if (argc != 6)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	check(camel_init(argv[4], FALSE) == 0, NULL, "camel_init");
	camel_provider_init();
	session = g_object_new(CAMEL_TYPE_SESSION, "online", TRUE, "user-data-dir", argv[4],
	    "user-cache-dir", argv[4], NULL);
	camel_session_set_online(session, TRUE);
	(void)g_thread_new("loop", run_loop, g_main_loop_new(NULL, FALSE));
	store = connect_store(session, argv);
	camel_folder_info_free(camel_store_get_folder_info_sync(
	    store, NULL, CAMEL_STORE_FOLDER_INFO_RECURSIVE, NULL, &error));
	folder = camel_store_get_folder_sync(store, "INBOX", 0, NULL, &error);
	check(folder != NULL, &error, "get_folder");
	check(camel_folder_refresh_info_sync(folder, NULL, &error), &error, "refresh");
	printf("ready %d\n", camel_folder_get_message_count(folder));
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "expunge") == 0)
			expunge(folder);
		else if (strncmp(line, "move ", 5) == 0)
			move(store, folder, line + 5);
		else if (strncmp(line, "wait ", 5) == 0)
			wait_for(folder, atoi(line + 5));
		printf("count %d\n", camel_folder_get_message_count(folder));
	}
	return 0;
}
