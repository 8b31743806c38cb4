/* SPDX-License-Identifier: MIT */
/*
 * svg.c - see svg.h.
 */
#include "svg.h"

#include "utf8.h"

/* XML allows neither control characters nor bytes that form no character. */
static void character_write(FILE *stream, const char *text, size_t length)
{
	if (!length || (unsigned char)*text < ' ')
		fputc('?', stream);
	else
		fwrite(text, 1, length, stream);
}

static void text_escape(FILE *stream, const char *text)
{
	size_t length;

	for (; *text; text += length ? length : 1) {
		length = utf8_length(text);
		switch (*text) {
		case '<': fputs("&lt;", stream); break;
		case '>': fputs("&gt;", stream); break;
		case '&': fputs("&amp;", stream); break;
		case '"': fputs("&quot;", stream); break;
		default: character_write(stream, text, length);
		}
	}
}

void svg_begin(FILE *stream, double width, double height, const char *title)
{
	fprintf(stream,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" "
		"height=\"%g\" role=\"img\" font-family=\"sans-serif\">\n<title>",
		width, height, width, height);
	text_escape(stream, title);
	fputs("</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n", stream);
}

void svg_end(FILE *stream)
{
	fputs("</svg>\n", stream);
}

void svg_rect(FILE *stream, double x, double y, double width, double height, const char *colour,
	      double opacity)
{
	fprintf(stream, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"%s\"", x, y,
		width, height, colour);
	if (opacity < 1)
		fprintf(stream, " fill-opacity=\"%.2g\"", opacity);
	fputs("/>\n", stream);
}

void svg_line(FILE *stream, double x1, double y1, double x2, double y2, const char *colour)
{
	fprintf(stream, "<path d=\"M%g %gL%g %g\" stroke=\"%s\" fill=\"none\"/>\n", x1, y1, x2, y2,
		colour);
}

void svg_text(FILE *stream, double x, double y, enum anchor anchor, double size, const char *text)
{
	static const char *const anchors[] = {"start", "middle", "end"};

	fprintf(stream,
		"<text x=\"%g\" y=\"%g\" font-size=\"%g\" text-anchor=\"%s\" fill=\"#222222\">", x,
		y, size, anchors[anchor]);
	text_escape(stream, text);
	fputs("</text>\n", stream);
}

void svg_path_begin(FILE *stream, const char *colour, double width)
{
	if (width > 0)
		fprintf(stream,
			"<path stroke=\"%s\" stroke-width=\"%g\" fill=\"none\" "
			"stroke-linejoin=\"round\" d=\"",
			colour, width);
	else
		fprintf(stream, "<path fill=\"%s\" d=\"", colour);
}

void svg_point(FILE *stream, double x, double y, int first)
{
	fprintf(stream, "%c%.1f %.1f", first ? 'M' : 'L', x, y);
}

void svg_path_end(FILE *stream)
{
	fputs("\"/>\n", stream);
}
