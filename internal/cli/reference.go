package cli

import (
	"time"

	"github.com/spf13/cobra"
)

//go:generate go run ../gendocs cli README.md

// ReferenceCommand returns the root command for the generated reference. It does not read
// the environment, and describes defaults that depend on the machine.
func ReferenceCommand() *cobra.Command {
	a := &app{streams: Streams{Now: time.Now, LookupEnv: func(string) (string, bool) { return "", false }}}
	root := a.root()
	for _, cmd := range root.Commands() {
		for name, text := range map[string]string{"data-dir": "$XDG_DATA_HOME/rtmanager or ~/.local/share/rtmanager", "node": "the host name"} {
			if f := cmd.Flags().Lookup(name); f != nil && f.DefValue != "" {
				f.DefValue = text
			}
		}
	}
	return root
}
