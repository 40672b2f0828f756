/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Knows the time zone and nothing else of the machine; asks no clock. */
#include "text.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "config/value.h"
#include "util/basic.h"
#include "util/escape.h"
#include "util/format.h"

#define USEC_PER_SEC UINT64_C(1000000)

char *text_format_bytes(uint64_t bytes, char buf[static TEXT_BYTES_SIZE])
{
	static const char units[] = "KMGTPE";
	uint64_t unit = 1024;
	size_t i = 0;

	if (bytes == UINT64_MAX)
		snprintf(buf, TEXT_BYTES_SIZE, "-");
	else if (bytes < 1024)
		snprintf(buf, TEXT_BYTES_SIZE, "%lluB", (unsigned long long)bytes);
	else {
		while (i + 2 < sizeof(units) && bytes / 1024 >= unit) {
			unit *= 1024;
			i++;
		}
		snprintf(buf, TEXT_BYTES_SIZE, "%llu.%llu%c", (unsigned long long)(bytes / unit),
			 (unsigned long long)(bytes % unit / (unit / 1024) * 10 / 1024), units[i]);
	}
	return buf;
}

char *text_format_time(uint64_t real_usec, char buf[static TEXT_TIME_SIZE])
{
	time_t seconds = (time_t)(real_usec / USEC_PER_SEC);
	struct tm tm;

	if (!localtime_r(&seconds, &tm) ||
	    strftime(buf, TEXT_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(buf, TEXT_TIME_SIZE, "-");
	return buf;
}

char *text_format_span(uint64_t nsec, char buf[static TEXT_SPAN_SIZE])
{
	static const struct {
		uint64_t nsec;
		const char *name;
	} units[] = {
		{86400000000000ULL, "days"}, {3600000000000ULL, "h"}, {60000000000ULL, "min"},
		{1000000000ULL, "s"},	     {1000000ULL, "ms"},      {1000ULL, "us"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		/* One day is "24 h". */
		if (nsec >= (i == 0 ? 2 : 1) * units[i].nsec) {
			/* What a machine takes is worth a digit more. */
			if (units[i].nsec < 1000000000ULL && nsec / units[i].nsec < 10)
				snprintf(buf, TEXT_SPAN_SIZE, "%llu.%llu %s",
					 (unsigned long long)(nsec / units[i].nsec),
					 (unsigned long long)(nsec % units[i].nsec * 10 /
							      units[i].nsec),
					 units[i].name);
			else
				snprintf(buf, TEXT_SPAN_SIZE, "%llu %s",
					 (unsigned long long)(nsec / units[i].nsec), units[i].name);
			return buf;
		}
	snprintf(buf, TEXT_SPAN_SIZE, "%llu ns", (unsigned long long)nsec);
	return buf;
}

static int parse_span_before(const char *span, uint64_t now_usec, uint64_t *ret)
{
	uint64_t usec;

	if (value_parse_timespan(span, &usec) < 0)
		return -EINVAL;
	*ret = usec < now_usec ? now_usec - usec : 0;
	return 0;
}

/* The form @format of the whole of @s; fields that it does not name stay as in @tm. */
static bool parse_form(const char *s, const char *format, struct tm *tm)
{
	const char *end = strptime(s, format, tm);

	return end && *end == '\0';
}

static int parse_calendar(const char *s, uint64_t now_usec, uint64_t *ret)
{
	static const char *const formats[] = {
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%H:%M:%S", "%H:%M",
	};
	time_t now = (time_t)(now_usec / USEC_PER_SEC);
	struct tm midnight;
	time_t t;

	if (!localtime_r(&now, &midnight))
		return -EINVAL;
	midnight.tm_hour = midnight.tm_min = midnight.tm_sec = 0;
	midnight.tm_isdst = -1;
	if (strcmp(s, "yesterday") == 0)
		midnight.tm_mday--;
	if (strcmp(s, "today") != 0 && strcmp(s, "yesterday") != 0) {
		const struct tm today = midnight;
		size_t i = 0;

		while (i < ARRAY_SIZE(formats) && !parse_form(s, formats[i], &midnight)) {
			midnight = today;
			i++;
		}
		if (i == ARRAY_SIZE(formats))
			return -EINVAL;
		midnight.tm_isdst = -1;
	}
	t = mktime(&midnight);
	if (t < 0)
		return -EINVAL;
	*ret = (uint64_t)t * USEC_PER_SEC;
	return 0;
}

int text_parse_time(const char *s, uint64_t now_usec, uint64_t *ret)
{
	static const char ago[] = " ago";
	size_t length = strlen(s);
	uint64_t seconds;

	if (strcmp(s, "now") == 0) {
		*ret = now_usec;
		return 0;
	}
	if (s[0] == '@') {
		if (value_parse_number(s + 1, UINT64_MAX / USEC_PER_SEC, &seconds) < 0)
			return -EINVAL;
		*ret = seconds * USEC_PER_SEC;
		return 0;
	}
	if (s[0] == '-')
		return parse_span_before(s + 1, now_usec, ret);
	if (length > strlen(ago) && strcmp(s + length - strlen(ago), ago) == 0) {
		_cleanup_free_ char *span = strndup(s, length - strlen(ago));

		return span ? parse_span_before(span, now_usec, ret) : -ENOMEM;
	}
	return parse_calendar(s, now_usec, ret);
}

char *text_escape(const char *bytes, size_t size)
{
	char *escaped = malloc(ESCAPE_SIZE(size));

	return escaped ? escape_text(bytes, size, escaped, ESCAPE_SIZE(size)) : NULL;
}

char *text_format_printable(const char *format, va_list ap)
{
	_cleanup_free_ char *text = format_string_va(format, ap);

	return text ? escape_printable(text, strlen(text)) : NULL;
}
