package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// commandTree returns the root as a shell without any environment sees it.
func commandTree() *cobra.Command {
	a := &app{streams: Streams{LookupEnv: func(string) (string, bool) { return "", false }, Now: time.Now}}
	return a.root()
}

var (
	quotedCommand = regexp.MustCompile("`rtmanager ([^`]*)`")
	namedFlag     = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// A flag that a help text speaks of is one of that verb.
func TestFlagsInHelpTextsExist(t *testing.T) {
	t.Parallel()
	spoken := 0
	for _, verb := range commandTree().Commands() {
		if verb.Name() == "exit-codes" { // it speaks of all verbs
			continue
		}
		verb.InitDefaultHelpFlag()
		text := verb.Long
		verb.LocalFlags().VisitAll(func(f *flag) { text += "\n" + f.Usage })
		for _, name := range namedFlag.FindAllString(text, -1) {
			require.NotNil(t, lookupFlag(verb, name), "the help of %s speaks of %s, which it does not have", verb.Name(), name)
			spoken++
		}
	}
	require.Greater(t, spoken, 10, "the flags in help texts were not found")
}

// The topic lists exactly the codes there are.
func TestExitCodesTopicIsComplete(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, 0)
	require.NoError(t, err)
	var codes []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "exit") {
			codes = append(codes, spec.Values[0].(*ast.BasicLit).Value)
		}
		return true
	})
	require.Contains(t, codes, strconv.Itoa(exitInterrupted), "the constants of exit.go were not found")
	topic := exitCodesTopic().Long
	var listed []string
	for _, match := range regexp.MustCompile(`(?m)^ {2,4}(\d+)  \S`).FindAllStringSubmatch(topic, -1) {
		listed = append(listed, match[1])
	}
	require.Equal(t, codes, listed, "the topic lists other codes than exit.go has:\n%s", topic)
}
