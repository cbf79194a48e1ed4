package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/runtime"
)

// consistency is the word of the flag that says how fresh an answer must be.
type consistency string

const (
	linearizable consistency = "linearizable"
	local        consistency = "local"
)

func (c *consistency) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(c), "consistency", string(linearizable), "linearizable or local")
	_ = cmd.RegisterFlagCompletionFunc("consistency", cobra.FixedCompletions([]string{string(linearizable), string(local)}, cobra.ShellCompDirectiveNoFileComp))
}

// local reports whether the daemon's own copy will do.
func (c *consistency) local() (bool, error) {
	if *c != linearizable && *c != local {
		return false, &runtime.InvalidError{Field: "--consistency", Reason: fmt.Sprintf("%q is not one; use linearizable or local", *c)}
	}
	return *c == local, nil
}
