# SPDX-License-Identifier: MIT
#
# soak.gp - draws what soak wrote: gnuplot -e "tsv='FILE'; svg='FILE'" soak.gp
#
# Above: how full each heap was when it refused. Below: how scattered its free memory is.

set terminal svg size 1000,800 dynamic background rgb 'white' font 'sans-serif,13'
set output svg
set datafile separator "\t"

heaps = system("awk 'NR > 1 && !seen[$1]++ { print $1 }' '".tsv."'")
lines(heap) = sprintf("< awk -F'\\t' '$1 == %s' '%s'", heap, tsv)

set xlabel 'operations'
set logscale x
set format x '%.0s%c'
set yrange [0:1]
set grid ytics linecolor rgb '#dddddd'
set key outside right
set multiplot layout 2, 1
set ylabel 'bytes asked for / size, at a refusal'
plot for [heap in heaps] lines(heap) using 2:6 with linespoints title heap
set ylabel 'fragmentation: 1 - largest / all free'
plot for [heap in heaps] lines(heap) using 2:7 with linespoints title heap
unset multiplot
