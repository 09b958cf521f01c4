/*
 * special.c: which mailbox is for drafts, sent mail and so on.
 * Runs as: mail user.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "maildir/maildir.h"
#include "maildir/tree/tree.h"
#include "server/conf.h"
#include "server/imap/session.h"
#include "server/imap/special.h"
#include "server/log.h"
#include "server/reader/reader.h"

enum { NAMES_MAX = 40 };

/*
 * What clients call these folders when they make them themselves, in UTF-8, the English name first:
 * Thunderbird, Apple Mail, Outlook, webmails; English, German, French, Spanish, Italian, Portuguese,
 * Dutch, Polish, Czech, Danish, Swedish, Norwegian, Finnish, Hungarian, Turkish, Russian.
 */
static const struct {
	const char *use;
	const char *names[NAMES_MAX]; /* NULL behind the last, where there is room */
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
	int use;

	for (use = 0; use < SPECIAL_USES; use++)
		if (word_is(word, uses[use].use))
			break;
	return use;
}

static const char *
setting_of(const struct conf *conf, enum special use)
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

struct finding {
	char *const *folders;
	size_t count;
	struct special_folders *special;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(a, *(char *const *)b);
}

static void
note(struct finding *f, enum special use, const char *folder)
{
	if (f->special->folder[use] == NULL &&
	    bsearch(folder, f->folders, f->count, sizeof(f->folders[0]), compare) != NULL)
		f->special->folder[use] = strdup(folder);
}

static bool
on_saved(void *ctx, const char *use, const char *folder)
{
	const struct word word = {(char *)(uintptr_t)use, strlen(use)};
	enum special which = special_of(word);

	if (which != SPECIAL_USES)
		note(ctx, which, folder);
	return true;
}

/* The folder that a setting or a usual name in UTF-8 means; false: it can be none. */
static bool
folder_of(const char *name, char folder_r[IMAP_NAME_MAX])
{
	return imap_name_folder(name, strlen(name), true, folder_r) == NULL;
}

/* A usual name in any case, also below INBOX, where Courier and Cyrus put all folders. */
static void
find_usual(struct finding *f, enum special use)
{
	char folder[IMAP_NAME_MAX];
	size_t n, i;

	for (n = 0; n < NAMES_MAX && uses[use].names[n] != NULL; n++) {
		if (!folder_of(uses[use].names[n], folder))
			continue;
		for (i = 0; i < f->count; i++) {
			const char *name = f->folders[i];

			if (strncmp(name, "INBOX/", 6) == 0)
				name += 6;
			if (strcasecmp(name, folder) == 0) {
				note(f, use, f->folders[i]);
				return;
			}
		}
	}
}

void
special_find(
    struct session *session, char *const *folders, size_t count, struct special_folders *special_r)
{
	struct finding f = {folders, count, special_r};
	char folder[IMAP_NAME_MAX];
	const char *setting;
	int use;

	memset(special_r, 0, sizeof(*special_r));
	(void)maildir_special_uses(session->maildir, on_saved, &f);
	for (use = 0; use < SPECIAL_USES; use++) {
		setting = setting_of(session->conf, use);
		if (setting != NULL && folder_of(setting, folder))
			note(&f, use, folder);
		if (setting == NULL && special_r->folder[use] == NULL)
			find_usual(&f, use);
	}
}

void
special_clear(struct special_folders *special)
{
	for (int use = 0; use < SPECIAL_USES; use++)
		free(special->folder[use]);
	memset(special, 0, sizeof(*special));
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

bool
special_wanted(const struct conf *conf, enum special use, char folder_r[IMAP_NAME_MAX])
{
	const char *setting = setting_of(conf, use);

	return folder_of(setting != NULL ? setting : uses[use].names[0], folder_r);
}
