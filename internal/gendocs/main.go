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
	writers := map[string]func(io.Writer) error{"cli": cli.WriteReference, "config": config.WriteExample}
	if len(args) != 2 || writers[args[0]] == nil {
		return fmt.Errorf("usage: gendocs cli|config FILE, got %q", args)
	}
	var document bytes.Buffer
	if err := writers[args[0]](&document); err != nil {
		return err
	}
	return os.WriteFile(args[1], document.Bytes(), 0o644) //nolint:gosec // a document of the repository
}
