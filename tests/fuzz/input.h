/* SPDX-License-Identifier: MIT */
/*
 * input.h - the bytes a fuzzer gives, read as numbers. Behind the end there are zeros.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
	const uint8_t *at;
	size_t left;
};

static inline bool input_ended(const struct input *input)
{
	return !input->left;
}

static inline uint8_t input_byte(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

static inline uint16_t input_word(struct input *input)
{
	uint16_t low = input_byte(input);

	return (uint16_t)(low | input_byte(input) << 8);
}

/* What libFuzzer and AFL++ call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
