/* error.h: words struct tls_error; for the files of tls/ only. */
#ifndef TLS_ERROR_H
#define TLS_ERROR_H

#include "tls/tls.h"

/* Both return -1, so that a caller can return what they return.  Controls are replaced by '?'. */
int tls_error_set(struct tls_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "format: what mbedTLS calls code". */
int tls_error_library(struct tls_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What it means that a client sent this fatal alert (RFC 8446 section 6). */
const char *tls_alert_text(int alert);

#endif
