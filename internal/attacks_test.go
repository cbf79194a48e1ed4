package internal_test

import (
	"bytes"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every test that the security document names exists.
func TestTestsOfTheSecurityDocument(t *testing.T) {
	document, err := os.ReadFile("../.github/SECURITY.md")
	require.NoError(t, err)
	named := regexp.MustCompile("`((?:Test|Benchmark)[A-Za-z0-9]+)`").FindAllSubmatch(document, -1)
	require.Greater(t, len(named), 40)
	var sources bytes.Buffer
	require.NoError(t, fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		sources.Write(text)
		return err
	}))
	for _, match := range named {
		require.Contains(t, sources.String(), "\nfunc "+string(match[1])+"(", "SECURITY.md names a test that does not exist")
	}
}
