package flags

import (
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Consistency is the flag that selects the consistency of a read.
type Consistency string

const (
	linearizable Consistency = "linearizable"
	local        Consistency = "local"
)

// Bind declares the flag.
func (c *Consistency) Bind(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(c), "consistency", string(linearizable), "read consistency: linearizable, or local to read the daemon's cache")
	_ = cmd.RegisterFlagCompletionFunc("consistency", cobra.FixedCompletions([]string{string(linearizable), string(local)}, cobra.ShellCompDirectiveNoFileComp))
}

// IsLocal reports whether the read may come from the daemon's cache.
func (c *Consistency) IsLocal() (bool, error) {
	if *c != linearizable && *c != local {
		return false, &runtime.InvalidError{Field: "--consistency", Reason: fmt.Sprintf("%q is not supported; use linearizable or local", *c)}
	}
	return *c == local, nil
}
