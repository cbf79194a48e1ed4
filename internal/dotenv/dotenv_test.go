package dotenv_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/dotenv"
)

func TestParse(t *testing.T) {
	t.Parallel()
	variables, err := dotenv.Parse([]byte("\ufeff# comment\r\n\n  A=1\nB=\"x y\" # z\r\n_c2==\nEMPTY=\n\t# end\nLAST=no newline"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "1", "B": `"x y" # z`, "_c2": "=", "EMPTY": "", "LAST": "no newline"}, variables)
}

func TestErrorsNameTheLineAndNoValue(t *testing.T) {
	t.Parallel()
	const marker = "hunter2"
	for text, want := range map[string]string{
		"A=1\n" + marker:                "line 2 is not NAME=VALUE",
		"A=" + marker + "\nA=" + marker: "line 2 sets A a second time",
		"1A=" + marker:                  "line 1 has no valid name",
		"=" + marker:                    "line 1 has no valid name",
		"export A=" + marker:            "line 1 has no valid name",
		"A =" + marker:                  "line 1 has no valid name",
		"A=" + marker + "\x00":          "line 1 has a NUL byte in the value of A",
	} {
		_, err := dotenv.Parse([]byte(text))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), marker)
	}
}

// A file that is written from parsed variables has the same variables.
func FuzzParse(f *testing.F) {
	f.Add([]byte("A=1\r\n# c\nB= x\n"))
	f.Add([]byte("A=\r\r\n"))
	f.Add([]byte("\xff=\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		variables, err := dotenv.Parse(text)
		if err != nil {
			require.Less(t, len(err.Error()), 200+len(text))
			return
		}
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(variables)) {
			require.NotContains(t, variables[name], "\n")
			b.WriteString(name + "=" + variables[name] + "\r\n")
		}
		second, err := dotenv.Parse([]byte(b.String()))
		require.NoError(t, err)
		require.Equal(t, variables, second)
	})
}
