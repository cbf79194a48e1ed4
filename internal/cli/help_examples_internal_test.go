package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// commands returns a new root command and all commands below it.
func commands() []*cobra.Command {
	a := &app{streams: Streams{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Now: time.Now, LookupEnv: func(string) (string, bool) { return "", false }}}
	root := a.root()
	all := []*cobra.Command{root}
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].Commands()...)
	}
	return all
}

func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	for _, cmd := range commands() {
		name := cmd.CommandPath()
		require.NotEmpty(t, cmd.Short, name)
		require.False(t, strings.HasSuffix(cmd.Short, "."), "%s: a short description has no full stop", name)
		require.NotEmpty(t, cmd.Long, name)
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			require.LessOrEqual(t, len(strings.TrimRight(line, "\n")), 100, "%s: a line of help is too long for a terminal: %s", name, line)
		}
		var text bytes.Buffer
		cmd.SetOut(&text)
		require.NoError(t, cmd.Help(), name)
		if cmd.IsAdditionalHelpTopicCommand() {
			require.Empty(t, cmd.Example, "%s: the example of a topic is never shown", name)
		} else {
			require.Contains(t, text.String(), "\nExamples:\n", name)
		}
	}
}

// exampleCommands returns the calls of rtmanager in an example, as argument lists.
func exampleCommands(t *testing.T, example string) [][]string {
	t.Helper()
	var calls [][]string
	for line := range strings.Lines(example) {
		_, after, found := strings.Cut(line, "rtmanager ")
		for found {
			var rest string
			rest, after, found = cutCommand(after)
			calls = append(calls, shellFields(t, rest))
			if found {
				_, after, found = strings.Cut(after, "rtmanager ")
			}
		}
	}
	return calls
}

// cutCommand cuts at a character that ends a simple command, outside of quotes.
func cutCommand(text string) (command, after string, found bool) {
	quote := rune(0)
	for i, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
		case r == '\'' || r == '"':
			quote = r
		case strings.ContainsRune("|&;><#)", r):
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// shellFields splits at blanks outside of quotes.
func shellFields(t *testing.T, text string) []string {
	t.Helper()
	var fields []string
	field, quote, within := "", rune(0), false
	for _, r := range strings.TrimSpace(text) + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, within = r, true
		case quote == 0 && r == ' ':
			if within {
				fields = append(fields, field)
			}
			field, within = "", false
		default:
			field, within = field+string(r), true
		}
	}
	require.Zero(t, quote, "an unclosed quote in %q", text)
	return fields
}

// The program accepts every example: its command, flags, values of flags, and number of
// arguments.
func TestExamplesAreAccepted(t *testing.T) {
	t.Parallel()
	count := 0
	for _, documented := range commands() {
		calls := exampleCommands(t, documented.Example)
		if documented.IsAdditionalHelpTopicCommand() {
			calls = exampleCommands(t, documented.Long)
		}
		require.NotEmpty(t, calls, "%s has an example without a command", documented.CommandPath())
		shown := false
		for _, call := range calls {
			root := commands()[0]
			cmd, rest, err := root.Find(call)
			require.NoError(t, err, "example of %s: %q", documented.CommandPath(), call)
			require.NoError(t, cmd.ParseFlags(rest), "example of %s: %q", documented.CommandPath(), call)
			require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), "example of %s: %q", documented.CommandPath(), call)
			require.NoError(t, cmd.ValidateRequiredFlags(), "example of %s: %q", documented.CommandPath(), call)
			require.NoError(t, rejectEmptyFlags(cmd), "example of %s: %q", documented.CommandPath(), call)
			shown = shown || cmd.Name() == documented.Name()
			count++
		}
		require.True(t, shown || !documented.Runnable() || documented.HasSubCommands(), "no example of %s contains it", documented.CommandPath())
	}
	require.Greater(t, count, 30, "number of examples")
}

// TestCompletionWithoutADaemon uses the hidden command by which shells request completions.
func TestCompletionWithoutADaemon(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		want string
	}{
		{"li|", "list"},
		{"wa|", "wait	watch"},
		{"set|", "set-status"},
		{"help fs|", "fsck"},
		{"help exi|", "exit-codes"},
		{"list --status |", "running\tstopped\tremoved"},
		{"list --consistency |", "linearizable\tlocal"},
		{"set-status game --from |", "running\tstopped\tremoved"},
		{"watch --status |", "running\tstopped\tremoved"},
		{"get -o |", "table\twide\tjson\tyaml\tname\tjsonpath=\tgo-template=\tcustom-columns="},
		{"completion |", "bash\tzsh\tfish\tpowershell"},
		{"start game --on-node-lost |", "keep\treschedule"},
		{"get |", ""},
		{"get one |", ""},
	} {
		var out bytes.Buffer
		line := strings.TrimSuffix(c.line, "|")
		words := strings.Fields(line)
		if line == "" || strings.HasSuffix(line, " ") {
			words = append(words, "")
		}
		code := Main(context.Background(), append([]string{cobra.ShellCompNoDescRequestCmd}, words...), Streams{
			Out: &out, Err: new(bytes.Buffer), Now: time.Now,
			LookupEnv: func(name string) (string, bool) { return "http://127.0.0.1:1", name == "RTMANAGER_SERVER" },
		})
		require.Zero(t, code, c.line)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Equal(t, c.want, strings.Join(lines[:len(lines)-1], "\t"), "completing %q", c.line)
	}
}
