package flags

import (
	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Filter are the flags that select records.
type Filter struct {
	Region, Node string

	status string
}

// Bind declares the flags.
func (f *Filter) Bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.status, "status", "", "only records with this `STATUS`: running, stopped or removed")
	cmd.Flags().StringVar(&f.Region, "region", "", "only records of this `REGION`")
	cmd.Flags().StringVar(&f.Node, "node", "", "only records of this `NODE`")
	CompleteStatus(cmd, "status")
}

// Status returns the status to filter by, empty for none.
func (f *Filter) Status() (runtime.Status, error) {
	if f.status == "" {
		return "", nil
	}
	return runtime.ParseStatus("--status", f.status)
}

// CompleteStatus completes a flag by the statuses.
func CompleteStatus(cmd *cobra.Command, flag string) {
	var statuses []string
	for _, status := range runtime.Statuses() {
		statuses = append(statuses, string(status))
	}
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(statuses, cobra.ShellCompDirectiveNoFileComp))
}
