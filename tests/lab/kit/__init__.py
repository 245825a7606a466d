# SPDX-License-Identifier: BSD-3-Clause
"""The lab's parts: namespaces, servers, the box, traffic, and the comparison of what servers saw."""
