# SPDX-License-Identifier: MIT
#
# chart.gp - draws what compare wrote: gnuplot -e "tsv='FILE'; svg='FILE'" chart.gp
#
# Above: time as a multiple of glibc's, the median and the quartiles. Below: utilisation.

set terminal svg size 1200,900 dynamic background rgb 'white' font 'sans-serif,13'
set output svg
set datafile separator "\t"
set datafile missing 'NA'

peers = system("awk -F'\t' 'NR > 1 && !seen[$2]++ { print $2 }' '".tsv."'")
bounded = system("awk -F'\t' 'NR > 1 && $15 != \"NA\" && !seen[$2]++ { print $2 }' '".tsv."'")
traces = int(system("awk -F'\t' 'NR > 1 && !seen[$1]++ { n++ } END { print n }' '".tsv."'"))

# The lines of one allocator, with their own number in front as the place on the x axis.
lines(peer) = sprintf("< awk -F'\\t' -v OFS='\\t' '$2 == \"%s\" { print n++, $0 }' '%s'", peer, tsv)
# Neighbours side by side instead of on top of one another.
place(x, i, n) = x + 0.6 * ((i - 0.5) / n - 0.5)

# An allocator keeps its colour in both charts.
colour(peer) = sum [i = 1:words(peers)] (word(peers, i) eq peer ? i : 0)

set xrange [-0.6:traces - 0.4]
set xtics nomirror
set ytics nomirror
set grid ytics linecolor rgb '#dddddd'
set key outside right top
set border 3
set multiplot layout 2, 1

set title 'Time of an operation, as a multiple of glibc (lower is faster)'
set logscale y 2
set format y '%g'
plot lines('glibc') using 1:(1):xtic(2) with lines linecolor 'black' title 'glibc', \
	for [i = 2:words(peers)] lines(word(peers, i)) \
	using (place($1, i, words(peers))):10:12:13 with yerrorbars \
	pointtype 7 pointsize 0.7 linecolor colour(word(peers, i)) title word(peers, i)

unset logscale y
set yrange [*:1]
set title 'Utilisation: peak of live bytes / smallest sufficient region (higher is tighter)'
plot lines('glibc') using 1:(NaN):xtic(2) notitle, \
	for [i = 1:words(bounded)] lines(word(bounded, i)) \
	using (place($1, i, words(bounded))):16 with points \
	pointtype 7 pointsize 0.8 linecolor colour(word(bounded, i)) title word(bounded, i)
unset multiplot
