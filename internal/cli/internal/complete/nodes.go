package complete

import (
	"context"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/api"
)

// nodeNames completes the name of a present node.
func (s Source) nodeNames(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return s.ofNodes(cmd.Context(), prefix, func(n api.Node) string { return n.Name })
}

// regions completes the region of a present node.
func (s Source) regions(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return s.ofNodes(cmd.Context(), prefix, func(n api.Node) string { return n.Region })
}

// nodeRefs completes REGION/NODE of a present node.
func (s Source) nodeRefs(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return s.ofNodes(cmd.Context(), prefix, func(n api.Node) string { return n.Ref().String() })
}

// ofNodes completes a value of present nodes.
func (s Source) ofNodes(ctx context.Context, prefix string, value func(api.Node) string) ([]string, cobra.ShellCompDirective) {
	var values []string
	for _, n := range s.nodes(ctx) {
		if n.IsReady() {
			values = append(values, value(n))
		}
	}
	return distinct(values, prefix), cobra.ShellCompDirectiveNoFileComp
}
