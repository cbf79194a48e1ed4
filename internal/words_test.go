package internal_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWords holds the vocabulary of .ci/words.txt. It reports every use of a listed
// word, except for the uses of .ci/words-allow.txt. Each directory is a subtest:
//
//	go test ./internal -run TestWords/internal/cli
func TestWords(t *testing.T) {
	root := os.DirFS("..")
	rules := readRules(t, root)
	allowed := readAllowed(t, root)

	files := map[string][]string{} // by directory
	for _, file := range checkedFiles(t, root) {
		files[path.Dir(file)] = append(files[path.Dir(file)], file)
	}
	for _, dir := range slices.Sorted(maps.Keys(files)) {
		t.Run(dir, func(t *testing.T) {
			var report strings.Builder
			for _, file := range files[dir] {
				text, err := fs.ReadFile(root, file)
				require.NoError(t, err)
				uses, err := findWords(rules, file, text)
				require.NoError(t, err)
				for _, use := range uses {
					if !allowed.permits(file, use.word) {
						fmt.Fprintf(&report, "%s:%d: %q: write %s\n", file, use.line, use.word, use.replacement)
					}
				}
			}
			if report.Len() > 0 {
				t.Errorf("words of .ci/words.txt:\n%s", report.String())
			}
		})
	}
	if t.Failed() || flag.Lookup("test.run").Value.String() != "" {
		return // an entry of a directory that was not checked is not unused
	}
	for _, entry := range slices.Sorted(maps.Keys(allowed)) {
		if !allowed[entry] {
			t.Errorf(".ci/words-allow.txt: %s is not used: delete the entry", entry)
		}
	}
}

func TestFindWords(t *testing.T) {
	rules := []wordRule{}
	for _, line := range []string{"settle, settled\tresolve", "gives back\treturns\tcomments", "forever\tloop\tidentifiers", "held\tblocked\tnames"} {
		parsed, err := parseRule(line)
		require.NoError(t, err)
		rules = append(rules, parsed...)
	}
	for _, test := range []struct {
		name, file, text string
		want             []string
	}{
		{"comment", "a.go", "package a\n\n// A write is settled.\nvar b int", []string{"3 settled"}},
		{"whole words", "a.go", "package a\n\n// Unsettled settings, and settlement.\nvar settings int", nil},
		{"identifier in a comment", "a.go", "package a\n\n// See trySettle.\nvar b int", []string{"3 settle"}},
		{"phrase across lines", "a.go", "package a\n\n// It gives\n// back nothing.\nvar b int", []string{"3 gives back"}},
		{"link", "a.go", "package a\n\n// See https://example.com/settle/x.\nvar b int", nil},
		{"directive", "a.go", "package a\n\n//nolint:settle\nvar b int", nil},
		{"variable", "a.go", "package a\n\nfunc b() {\n\tsettleTime := 1\n\t_ = settleTime\n}", []string{"4 settle"}},
		{"function, parameter, result", "a.go", "package a\n\nfunc SettleAll(settle int) (settled bool) { return true }", []string{"3 settle", "3 settle", "3 settled"}},
		{"type, field, method", "a.go", "package a\n\ntype settle struct{ Settled int }\n\nfunc (held settle) runForever() {}", []string{"3 settle", "3 settled", "5 held", "5 forever"}},
		{"interface method", "a.go", "package a\n\ntype b interface{ Settle() }", []string{"3 settle"}},
		{"foreign name", "a.go", "package a\n\nimport \"x\"\n\nvar b = x.Settle", nil},
		{"complete name", "a.go", "package a\n\nvar held, heldLocks int", []string{"3 held"}},
		{"scope identifiers", "a.go", "package a\n\n// It runs forever.\nvar b int", nil},
		{"text", "a.go", "package a\n\nvar b = \"it is settled\"", []string{"3 settled"}},
		{"text of several lines", "a.go", "package a\n\nvar b = `it is\nsettled`", []string{"4 settled"}},
		{"struct tag", "a.go", "package a\n\ntype b struct {\n\tC int `doc:\"gives back\"`\n}", []string{"4 gives back"}},
		{"import path", "a.go", "package a\n\nimport _ \"x/settle\"", nil},
		{"test data", "a_test.go", "package a\n\nvar b = `it is settled`\nvar c = \"settled\"", nil},
		{"message of a test", "a_test.go", "package a\n\nvar b = \"it is settled\"", []string{"3 settled"}},
		{"name of a subtest", "a_test.go", "package a\n\nfunc f(t T) { t.Run(\"settle all\", nil) }", []string{"3 settle"}},
		{"name of a file", "settle_all.go", "package a", []string{"1 settle"}},
		{"package", "a.go", "package settle", []string{"1 settle"}},
		{"document", "a.md", "# Title\n\nIt is settled.\n", []string{"3 settled"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			uses, err := findWords(rules, test.file, []byte(test.text))
			require.NoError(t, err)
			got := []string{}
			for _, use := range uses {
				got = append(got, fmt.Sprint(use.line, " ", use.word))
			}
			assert.ElementsMatch(t, test.want, got)
		})
	}
}

// checkedFiles returns the Go files, documents, scripts and deployment files.
func checkedFiles(t *testing.T, root fs.FS) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(root, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (slices.Contains([]string{".git", ".cache", "bin"}, file) || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || strings.HasPrefix(file, ".ci/words"):
			return nil
		}
		if isChecked(file) {
			files = append(files, file)
		}
		return nil
	})
	require.NoError(t, err)
	return files
}

func isChecked(file string) bool {
	switch path.Ext(file) {
	case ".go", ".md", ".yaml", ".yml", ".service", ".Dockerfile":
		return true
	case "":
		return isBelowAny(file, []string{".ci", ".githooks", "deploy"})
	}
	return false
}

// readRules returns the rules of .ci/words.txt.
func readRules(t *testing.T, root fs.FS) []wordRule {
	t.Helper()
	var rules []wordRule
	for _, line := range readLines(t, root, ".ci/words.txt") {
		parsed, err := parseRule(line)
		require.NoError(t, err, ".ci/words.txt")
		rules = append(rules, parsed...)
	}
	return rules
}

// allowList holds each entry path:word with whether it was used.
type allowList map[string]bool

func readAllowed(t *testing.T, root fs.FS) allowList {
	t.Helper()
	allowed := allowList{}
	for _, line := range readLines(t, root, ".ci/words-allow.txt") {
		entry, reason, _ := strings.Cut(line, " ")
		require.NotEmpty(t, reason, ".ci/words-allow.txt: %s needs a reason", entry)
		where, word, _ := strings.Cut(entry, ":")
		allowed[where+":"+strings.ReplaceAll(word, "_", " ")] = false
	}
	return allowed
}

// permits reports whether an entry names the word for the file or for a directory
// above it.
func (a allowList) permits(file, word string) bool {
	for entry := range a {
		where, allowedWord, _ := strings.Cut(entry, ":")
		if allowedWord == word && (where == file || strings.HasSuffix(where, "/") && strings.HasPrefix(file, where)) {
			a[entry] = true
			return true
		}
	}
	return false
}

// readLines returns the lines of a list that are neither empty nor comments.
func readLines(t *testing.T, root fs.FS, file string) []string {
	t.Helper()
	text, err := fs.ReadFile(root, filepath.ToSlash(file))
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// isBelowAny reports whether the file is one of the paths or below one of them.
func isBelowAny(file string, paths []string) bool {
	return slices.ContainsFunc(paths, func(p string) bool {
		p = strings.TrimSuffix(p, "/")
		return file == p || strings.HasPrefix(file, p+"/")
	})
}
