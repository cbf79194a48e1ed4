package render_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/testkit/hostile"
)

func TestFit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		widths, minima []int
		width          int
		want           []int
	}{
		{[]int{10, 20}, []int{5, 5}, 40, []int{10, 20}},
		{[]int{10, 20}, []int{5, 5}, 22, []int{10, 10}},
		{[]int{10, 20}, []int{5, 5}, 18, []int{8, 8}},
		{[]int{10, 20}, []int{0, 5}, 18, []int{10, 6}},
		{[]int{10, 20}, []int{8, 8}, 10, []int{8, 8}},
		{[]int{3, 20}, []int{8, 8}, 10, []int{3, 8}},
	} {
		require.Equal(t, c.want, render.Fit(c.widths, c.minima, c.width), "%+v", c)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	require.Equal(t, "match-17", render.CutMiddle("match-17", 8))
	require.Equal(t, "mat…-17", render.CutMiddle("match-2026-17", 7))
	require.Equal(t, "日…本", render.CutMiddle("日本日本", 5))
	require.Equal(t, "…am/gameserver:1.2.3", render.CutImage("registry.example.com/team/gameserver:1.2.3", 20))
	require.Equal(t, "4f1c9a4f…", render.CutEnd("4f1c9a4f1c9a", 9))
	for _, text := range append(hostile.Texts(), strings.Repeat("x", 250), "e\u0301e\u0301e\u0301") {
		text = render.Value(text)
		for limit := 4; limit < 30; limit++ {
			for _, cut := range []func(string, int) string{render.CutMiddle, render.CutImage, render.CutEnd} {
				require.LessOrEqual(t, render.Width(cut(text, limit)), limit, "%q", text)
			}
		}
	}
}
