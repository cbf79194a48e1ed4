package labelselector_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/labelselector"
)

func TestSelectorMatches(t *testing.T) {
	t.Parallel()
	recordLabels := map[string]string{"env": "prod", "mode": "casual", "level": "7", "empty": "", "example.com/team": "a"}
	for text, want := range map[string]bool{
		"env=prod": true, "env==prod": true, "env = prod": true, "env=dev": false, "env=": false,
		"env!=dev": true, "env!=prod": false, "none!=x": true,
		"env in (dev, prod)": true, "env in (dev)": false, "none in (x)": false,
		"env notin (dev)": true, "env notin (dev,prod)": false, "none notin (x)": true,
		"env": true, "none": false, "!none": true, "!env": false, "empty": true, "empty=": true,
		"level>6": true, "level>7": false, "level<8": true, "env>1": false,
		"env=prod,mode!=ranked": true, "env=prod,mode=ranked": false,
		"example.com/team=a": true,
	} {
		selector, err := labelselector.Parse("label_selector", text)
		require.NoError(t, err, text)
		require.Equal(t, want, selector.Matches(recordLabels), text)
		requireSameSelector(t, selector)
	}
	require.True(t, runtime.LabelSelector{}.Matches(nil), "the zero selector selects every record")
	require.True(t, runtime.LabelSelector{}.IsEmpty())
}

func TestSelectorHasACanonicalText(t *testing.T) {
	t.Parallel()
	first, err := labelselector.Parse("label_selector", "b in (y,x), a=1,!c")
	require.NoError(t, err)
	second, err := labelselector.Parse("label_selector", "!c,a=1,b in (x, y)")
	require.NoError(t, err)
	require.Equal(t, first.String(), second.String())
	require.Equal(t, []runtime.LabelRequirement{{Key: "a", Operator: runtime.LabelIn, Values: []string{"1"}}, {Key: "b", Operator: runtime.LabelIn, Values: []string{"x", "y"}}}, first.Indexable())
}

func TestParseNamesTheFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "label_selector is empty; use a label selector, such as env=prod,mode!=ranked",
		" ":                              "label_selector is empty",
		"env=prod,":                      `"env=prod," is not a label selector`,
		"env in prod":                    "expected",
		"env=a b":                        "found 'b'",
		"=prod":                          "found '='",
		"-env=prod":                      "alphanumeric",
		"env=" + strings.Repeat("x", 64): "63",
		"level>x":                        "integer",
		"a=" + strings.Repeat("x", 5000): "has 5002 bytes; at most 4096 are allowed",
		"\x00":                           "NUL",
		"env=prod\x00,mode=ranked":       "NUL",
		"env=prod;rm":                    "alphanumeric",
	} {
		_, err := labelselector.Parse("label_selector", text)
		require.ErrorIs(t, err, runtime.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "\n")
	}
}

// requireSameSelector requires that the text of a selector is one of the same selector.
func requireSameSelector(t *testing.T, selector runtime.LabelSelector) {
	t.Helper()
	reparsed, err := labelselector.Parse("label_selector", selector.String())
	require.NoError(t, err)
	require.Equal(t, selector.String(), reparsed.String())
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"env=prod,mode!=ranked", "a in (b,c),!d", "x notin (),y", "level>3", "a/b=c", "((", "a==", "!", "a in (", "\xff", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		selector, err := labelselector.Parse("label_selector", text)
		if err != nil {
			require.ErrorIs(t, err, runtime.ErrInvalid)
			return
		}
		requireSameSelector(t, selector)
		// the parser's own selector is the reference
		reference, err := labels.Parse(text)
		require.NoError(t, err)
		requirements, _ := reference.Requirements()
		for _, r := range requirements {
			for _, value := range append(r.ValuesUnsorted(), "", "0", "other") {
				set := map[string]string{r.Key(): value, "env": "prod"}
				require.Equal(t, reference.Matches(labels.Set(set)), selector.Matches(set), "%q of %v", text, set)
			}
		}
		require.Equal(t, reference.Matches(labels.Set{}), selector.Matches(nil))
	})
}
