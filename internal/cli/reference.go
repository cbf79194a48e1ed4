package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go run ../gendocs cli README.md

// WriteReference writes the reference of all commands in Markdown. It does not depend on
// the machine: a default that does is described instead.
func WriteReference(out io.Writer) error {
	a := &app{streams: Streams{Now: time.Now, LookupEnv: func(string) (string, bool) { return "", false }}}
	root := a.root()
	var b strings.Builder
	b.WriteString("# Command line reference\n\n" +
		"Generated from the help texts by `go generate ./internal/cli`; do not edit.\n\n")
	writeCommand(&b, root)
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() || cmd.IsAdditionalHelpTopicCommand() {
			writeCommand(&b, cmd)
		}
	}
	_, err := io.WriteString(out, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

// writeCommand writes the section of one command or topic.
func writeCommand(b *strings.Builder, cmd *cobra.Command) {
	for name, text := range map[string]string{"data-dir": "$XDG_DATA_HOME/rtmanager or ~/.local/share/rtmanager", "node": "the host name"} {
		if f := cmd.Flags().Lookup(name); f != nil && f.DefValue != "" {
			f.DefValue = text
		}
	}
	fmt.Fprintf(b, "## %s\n\n%s\n\n", cmd.CommandPath(), cmd.Short)
	if cmd.Runnable() {
		codeBlock(b, cmd.UseLine())
	}
	codeBlock(b, cmd.Long)
	if cmd.Example != "" {
		b.WriteString("Examples:\n\n")
		codeBlock(b, strings.ReplaceAll(cmd.Example, "\n  ", "\n")[2:])
	}
	if !cmd.IsAdditionalHelpTopicCommand() {
		writeFlags(b, cmd)
	}
	if !cmd.HasParent() {
		b.WriteString("Commands:\n\n")
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() || child.IsAdditionalHelpTopicCommand() {
				fmt.Fprintf(b, "- [%s](#%s): %s\n", child.Name(), strings.ReplaceAll(child.CommandPath(), " ", "-"), child.Short)
			}
		}
		b.WriteString("\n")
	}
}

func writeFlags(b *strings.Builder, cmd *cobra.Command) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			flags.AddFlag(f)
		}
	})
	if !flags.HasFlags() {
		return
	}
	if !cmd.HasParent() {
		b.WriteString("Flags of all commands:\n\n")
	} else {
		b.WriteString("Flags:\n\n")
	}
	codeBlock(b, strings.TrimRight(flags.FlagUsages(), "\n"))
}

func codeBlock(b *strings.Builder, text string) { fmt.Fprintf(b, "```\n%s\n```\n\n", text) }
