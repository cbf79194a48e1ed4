package cli

import (
	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/runtime"
)

// recordFilter holds the flags that select records.
type recordFilter struct{ statusWord, region, node string }

func (f *recordFilter) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.statusWord, "status", "", "only records of this `STATUS`: running, stopped or removed")
	cmd.Flags().StringVar(&f.region, "region", "", "only records of this `REGION`")
	cmd.Flags().StringVar(&f.node, "node", "", "only records of this `NODE`")
	completeStatus(cmd, "status")
}

// status returns the status to filter by, empty for none.
func (f *recordFilter) status() (runtime.Status, error) {
	if f.statusWord == "" {
		return "", nil
	}
	return runtime.ParseStatus("--status", f.statusWord)
}

// completeStatus offers the status words for a flag.
func completeStatus(cmd *cobra.Command, flag string) {
	var words []string
	for _, status := range runtime.Statuses() {
		words = append(words, string(status))
	}
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}
