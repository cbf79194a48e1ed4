package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/domain/drift"
)

// driftFilter selects findings. Several values of one flag are a union.
type driftFilter struct{ games, regions, nodes, kinds []string }

func (f *driftFilter) bind(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.games, "game", nil, "only findings about this `GAME`; repeatable")
	cmd.Flags().StringSliceVar(&f.regions, "region", nil, "only findings of this `REGION`; repeatable")
	cmd.Flags().StringSliceVar(&f.nodes, "node", nil, "only findings of this `NODE`; repeatable")
	cmd.Flags().StringSliceVar(&f.kinds, "kind", nil, "only findings of this `KIND`, such as crashed or orphan; repeatable")
	kinds := make([]string, 0, len(drift.Kinds()))
	for _, kind := range drift.Kinds() {
		kinds = append(kinds, string(kind))
	}
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp))
}

// apply returns the report with those of its findings that match.
func (f *driftFilter) apply(report drift.Report) drift.Report {
	matches := func(values []string, value string) bool { return len(values) == 0 || slices.Contains(values, value) }
	report.Findings = slices.DeleteFunc(slices.Clone(report.Findings), func(found drift.Finding) bool {
		return !matches(f.games, found.GameID) || !matches(f.regions, found.Region) || !matches(f.nodes, found.Node) || !matches(f.kinds, string(found.Kind))
	})
	return report
}
