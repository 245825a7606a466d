/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the sources of this room only. */
#ifndef REPORT_INT_H
#define REPORT_INT_H

/* A fraction in percent, cut to two decimals: 99.999 % is not shown as 100. */
double report_percent(double fraction);

#endif
