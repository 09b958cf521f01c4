/*
 * sasl.c: the server side of PLAIN and LOGIN.
 * Runs as: worker.
 *
 * A mechanism is a row: its name, its first challenge, and a function per step, which takes one
 * decoded response.  A step says SASL_MORE, and then the next one gets the next response.
 */
#include "auth/sasl.h"

#include <string.h>
#include <strings.h>

enum {
	SASL_STEPS_MAX = 2,
	SASL_DECODED_MAX = SASL_LINE_MAX / 4 * 3,
	SASL_STEP_OVER = -1, /* the dialogue has ended, whatever comes is wrong */
};

typedef enum sasl_result (*sasl_step)(struct sasl *sasl, const char *text, size_t len);

struct sasl_mechanism {
	const char *name;
	const char *challenge; /* to a client that sent no initial response; base64 */
	sasl_step steps[SASL_STEPS_MAX];
};

const char SASL_MECHANISMS[] = "PLAIN LOGIN";

/* Keeps 1 to max octets without NUL as a C string in to_r, which has room for max + 1. */
static bool
sasl_keep(char *to_r, size_t max, const char *text, size_t len)
{
	if (len < 1 || len > max || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(to_r, text, len);
	to_r[len] = '\0';
	return true;
}

/* RFC 4616: [authzid] NUL authcid NUL passwd.  No user may act for another here. */
static enum sasl_result
plain_response(struct sasl *sasl, const char *text, size_t len)
{
	const char *end = text + len, *name, *password;
	size_t authzid_len, name_len;

	name = memchr(text, '\0', len);
	if (name == NULL)
		return SASL_WRONG;
	authzid_len = (size_t)(name++ - text);
	password = memchr(name, '\0', (size_t)(end - name));
	if (password == NULL)
		return SASL_WRONG;
	name_len = (size_t)(password++ - name);

	if (authzid_len > 0 && (authzid_len != name_len || memcmp(text, name, name_len) != 0))
		return SASL_WRONG;
	if (!sasl_keep(sasl->name, AUTH_NAME_MAX, name, name_len) ||
	    !sasl_keep(sasl->password, AUTH_PASSWORD_MAX, password, (size_t)(end - password)))
		return SASL_WRONG;
	return SASL_DONE;
}

static enum sasl_result
login_name(struct sasl *sasl, const char *text, size_t len)
{
	if (!sasl_keep(sasl->name, AUTH_NAME_MAX, text, len))
		return SASL_WRONG;
	sasl->challenge = "UGFzc3dvcmQ6"; /* Password: */
	return SASL_MORE;
}

static enum sasl_result
login_password(struct sasl *sasl, const char *text, size_t len)
{
	if (!sasl_keep(sasl->password, AUTH_PASSWORD_MAX, text, len))
		return SASL_WRONG;
	return SASL_DONE;
}

static const struct sasl_mechanism sasl_table[] = {
    {"PLAIN", "", {plain_response, NULL}},
    {"LOGIN", "VXNlcm5hbWU6" /* Username: */, {login_name, login_password}},
};

int
sasl_start(struct sasl *sasl, const char *mechanism)
{
	size_t i;

	memset(sasl, 0, sizeof(*sasl));
	sasl->challenge = "";
	sasl->step = SASL_STEP_OVER;
	for (i = 0; i < sizeof(sasl_table) / sizeof(sasl_table[0]); i++) {
		if (strcasecmp(sasl_table[i].name, mechanism) != 0)
			continue;
		sasl->mechanism = &sasl_table[i];
		sasl->step = 0;
		return 0;
	}
	return -1;
}

enum sasl_result
sasl_begin(struct sasl *sasl)
{
	sasl->challenge = sasl->mechanism->challenge;
	return SASL_MORE;
}

/* Decodes the line and hands it to the step. */
static enum sasl_result
sasl_decode(struct sasl *sasl, sasl_step step, const char *line, size_t len)
{
	char decoded[SASL_DECODED_MAX];
	enum sasl_result result = SASL_WRONG;
	long octets;

	octets = base64_decode(line, len, (unsigned char *)decoded, sizeof(decoded));
	if (octets >= 0)
		result = step(sasl, decoded, (size_t)octets);
	explicit_bzero(decoded, sizeof(decoded));
	return result;
}

enum sasl_result
sasl_feed(struct sasl *sasl, const char *line, size_t len, bool initial)
{
	enum sasl_result result = SASL_WRONG;
	sasl_step step = NULL;

	if (sasl->step >= 0 && sasl->step < SASL_STEPS_MAX)
		step = sasl->mechanism->steps[sasl->step];
	sasl->challenge = "";
	if (step != NULL && len <= SASL_LINE_MAX) {
		if (!initial && len == 1 && line[0] == '*')
			result = SASL_CANCEL;
		else if (initial && len == 1 && line[0] == '=')
			result = step(sasl, "", 0);
		else
			result = sasl_decode(sasl, step, line, len);
	}
	sasl->step = result == SASL_MORE ? sasl->step + 1 : SASL_STEP_OVER;
	if (result == SASL_WRONG || result == SASL_CANCEL)
		sasl_clear(sasl);
	return result;
}

void
sasl_clear(struct sasl *sasl)
{
	explicit_bzero(sasl->name, sizeof(sasl->name));
	explicit_bzero(sasl->password, sizeof(sasl->password));
}
