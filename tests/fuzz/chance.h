/* SPDX-License-Identifier: GPL-2.0 */
/* What is random, the same again for the same `seed`. */
#include <stdbool.h>
#include <stdint.h>

static uint64_t seed;

/* splitmix64 */
static inline uint64_t chance(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint32_t below(uint32_t n)
{
	return (chance() >> 32) * n >> 32;
}

static inline bool one_in(uint32_t n)
{
	return below(n) == 0;
}
