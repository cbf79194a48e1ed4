package flags

import (
	"fmt"

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
	cmd.Flags().Var(&filterValue{target: &f.status}, "status", "only records with this `STATUS`: running, stopped or removed")
	cmd.Flags().Var(&filterValue{target: &f.Region}, "region", "only records of this `REGION`")
	cmd.Flags().Var(&filterValue{target: &f.Node}, "node", "only records of this `NODE`")
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

// FilterType is the type of a filter's value, whose errors are in terms of the command line.
const FilterType = "filter"

// filterValue is the value of a filter. It rejects a second value, which would replace the
// first.
type filterValue struct {
	target *string
	isSet  bool
}

// Set implements pflag.Value.
func (v *filterValue) Set(text string) error {
	if v.isSet {
		return fmt.Errorf("is given twice, as %q and %q; give it once", *v.target, text)
	}
	*v.target, v.isSet = text, true
	return nil
}

// String implements pflag.Value.
func (v *filterValue) String() string {
	if v.target == nil {
		return ""
	}
	return *v.target
}

// Type implements pflag.Value.
func (v *filterValue) Type() string { return FilterType }
