/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdatomic.h>
#include <stdio.h>

#include <sc_base.h>

static struct {
	sc_log_fn fn;
	void *arg;
	_Atomic enum sc_log_level level; /* an operator may change it while others log */
} sink = {.level = SC_LOG_NOTICE};

int
sc_err_set(struct sc_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

void
sc_log_set_sink(sc_log_fn fn, void *arg)
{
	sink.fn = fn;
	sink.arg = arg;
}

void
sc_log_set_level(enum sc_log_level level)
{
	atomic_store_explicit(&sink.level, level, memory_order_relaxed);
}

enum sc_log_level
sc_log_get_level(void)
{
	return atomic_load_explicit(&sink.level, memory_order_relaxed);
}

void
sc_log(enum sc_log_level level, const char *area, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (sink.fn == NULL || level > sc_log_get_level())
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sink.fn(level, area, text, sink.arg);
}
