package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/exit"
)

// commandTree returns a new root command with an empty environment.
func commandTree() *cobra.Command {
	a := &app{streams: Streams{LookupEnv: func(string) (string, bool) { return "", false }, Now: time.Now}}
	return a.root()
}

var (
	quotedCommand = regexp.MustCompile("`rtmanager ([^`]*)`")
	namedFlag     = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// A flag that a help text mentions is a flag of that command.
func TestFlagsInHelpTextsExist(t *testing.T) {
	t.Parallel()
	mentions := 0
	for _, cmd := range commandTree().Commands() {
		if cmd.IsAdditionalHelpTopicCommand() { // it mentions all commands
			continue
		}
		cmd.InitDefaultHelpFlag()
		text := cmd.Long
		cmd.LocalFlags().VisitAll(func(f *flag) { text += "\n" + f.Usage })
		for _, name := range namedFlag.FindAllString(text, -1) {
			require.NotNil(t, lookupFlag(cmd, name), "the help of %s mentions %s, which it does not have", cmd.Name(), name)
			mentions++
		}
	}
	require.Greater(t, mentions, 10, "number of flags in help texts")
}

// The topic lists every exit code and no other.
func TestExitCodesTopicIsComplete(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "internal/exit/exit.go", nil, 0)
	require.NoError(t, err)
	var codes []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if ok && len(spec.Values) == 1 {
			codes = append(codes, spec.Values[0].(*ast.BasicLit).Value)
		}
		return true
	})
	require.Contains(t, codes, strconv.Itoa(exit.Interrupted), "the constants of exit.go were not found")
	topic := exitCodesTopic().Long
	var listed []string
	for _, match := range regexp.MustCompile(`(?m)^ {2,4}(\d+)  \S`).FindAllStringSubmatch(topic, -1) {
		listed = append(listed, match[1])
	}
	require.Equal(t, codes, listed, "the topic lists other codes than exit.go has:\n%s", topic)
}
