/*
 * error.h: words struct tls_error; private to tls/.
 */
#ifndef TLS_ERROR_H
#define TLS_ERROR_H

#include "tls/tls.h"

/* Both return -1, so that a caller can return what they return.  Controls become '?'. */
int tls_error_set(struct tls_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same with ": " and mbedTLS's words for code after it. */
int tls_error_library(struct tls_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The meaning of a fatal alert that a client sent (RFC 8446 section 6): a constant text. */
const char *tls_alert_text(int alert);

#endif
