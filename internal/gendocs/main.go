// Command gendocs writes generated documents: the reference of the command line and the
// example of a settings file. It is called by go generate:
//
//	gendocs cli|config FILE
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"galaxy/rtmanager/internal/cli"
	"galaxy/rtmanager/internal/config"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	writers := map[string]func(io.Writer) error{"cli": writeReference, "config": config.WriteExample}
	if len(args) != 2 || writers[args[0]] == nil {
		return fmt.Errorf("usage: gendocs cli|config FILE, got %q", args)
	}
	var document bytes.Buffer
	if err := writers[args[0]](&document); err != nil {
		return err
	}
	return os.WriteFile(args[1], document.Bytes(), 0o644) //nolint:gosec // a document of the repository
}

// writeReference writes the pages of all commands and help topics into one document, by
// cobra's generator.
func writeReference(out io.Writer) error {
	root := cli.ReferenceCommand()
	root.DisableAutoGenTag = true
	document := bytes.NewBufferString("# Command line reference\n\n" +
		"Generated from the help texts by `go generate ./internal/cli`; do not edit.\n\n")
	if err := writePages(root, document); err != nil {
		return err
	}
	_, err := out.Write(document.Bytes())
	return err
}

// writePages writes the page of a command, and then those of its subcommands and topics.
func writePages(cmd *cobra.Command, document *bytes.Buffer) error {
	if cmd.HasParent() && !cmd.IsAvailableCommand() && !cmd.IsAdditionalHelpTopicCommand() {
		return nil
	}
	if err := doc.GenMarkdownCustom(cmd, document, anchor); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if err := writePages(sub, document); err != nil {
			return err
		}
	}
	return nil
}

// anchor returns the link to a command's section instead of to a page of its own.
func anchor(page string) string {
	return "#" + strings.ReplaceAll(strings.TrimSuffix(page, ".md"), "_", "-")
}
