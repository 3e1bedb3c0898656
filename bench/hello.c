/* SPDX-License-Identifier: MIT */
/* The floor under the start of a command. */
#include <stdio.h>

int main(void)
{
	puts("hello, world");
	return 0;
}
