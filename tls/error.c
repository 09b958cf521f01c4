/*
 * error.c: one line of text about what went wrong.
 * Runs as: anyone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/error.h>

#include "tls/error.h"

/* code: mbedTLS's, or 0. */
static void __attribute__((format(printf, 3, 0)))
word(struct tls_error *error, int code, const char *format, va_list args)
{
	char why[128] = "", *text = error->text;
	size_t used;

	(void)vsnprintf(text, sizeof error->text, format, args);
	if (code != 0) {
		used = strlen(text);
		mbedtls_strerror(code, why, sizeof why);
		(void)snprintf(
		    text + used, sizeof error->text - used, ": %s (-0x%04x)", why, (unsigned)-code);
	}
	/* File names are part of errors and may hold anything; a log line may not. */
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

int
tls_error_set(struct tls_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	word(error, 0, format, args);
	va_end(args);
	return -1;
}

int
tls_error_library(struct tls_error *error, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	word(error, code, format, args);
	va_end(args);
	return -1;
}

static const struct {
	int alert;
	const char *text;
} alerts[] = {
    {42, "client refused the certificate: bad certificate"},
    {43, "client refused the certificate: unsupported certificate"},
    {44, "client refused the certificate: certificate revoked"},
    {45, "client refused the certificate: certificate expired"},
    {46, "client refused the certificate: certificate unknown"},
    {48, "client refused the certificate: unknown CA"},
    {10, "client sent an alert: unexpected message"},
    {20, "client sent an alert: bad record MAC"},
    {22, "client sent an alert: record overflow"},
    {40, "client sent an alert: handshake failure"},
    {47, "client sent an alert: illegal parameter"},
    {49, "client sent an alert: access denied"},
    {50, "client sent an alert: decode error"},
    {51, "client sent an alert: decrypt error"},
    {70, "client sent an alert: protocol version"},
    {71, "client sent an alert: insufficient security"},
    {80, "client sent an alert: internal error"},
    {90, "client sent an alert: user canceled"},
    {109, "client sent an alert: missing extension"},
    {110, "client sent an alert: unsupported extension"},
    {112, "client sent an alert: unrecognized name"},
    {113, "client refused the certificate: bad certificate status response"},
    {116, "client sent an alert: certificate required"},
    {120, "client sent an alert: no application protocol"},
};

const char *
tls_alert_text(int alert)
{
	for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++)
		if (alerts[i].alert == alert)
			return alerts[i].text;
	return "client sent an unknown alert";
}
