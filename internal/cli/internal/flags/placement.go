package flags

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// placementFlags are the flags by which a node is selected for a game.
type placementFlags struct {
	placement, requestMemory  string
	nodeSelector, tolerations []string
	requestCPUs               float64
	spreadBy, spreadGroup     string
}

func (f *placementFlags) bindPlacement(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Float64Var(&f.requestCPUs, "request-cpus", 0, "CPUs to reserve on the node (default those of --cpus)")
	flags.StringVar(&f.requestMemory, "request-memory", "", "memory to reserve on the node, a `SIZE` such as 256MiB (default that of --memory)")
	flags.StringArrayVar(&f.nodeSelector, "node-selector", nil, "label that the node must have, `KEY=VALUE`, repeatable")
	flags.StringArrayVar(&f.tolerations, "toleration", nil, "taint of nodes on which the game may run nevertheless, `KEY[=VALUE][:EFFECT]`, repeatable")
	flags.StringVar(&f.placement, "placement", "", "node to prefer: `spread|pack`, the one with the lowest or the highest share in use (default spread)")
	flags.StringVar(&f.spreadBy, "spread-by", "", "prefer nodes whose value of the `LABEL`, such as zone, has the fewest games of the group")
	flags.StringVar(&f.spreadGroup, "spread-group", "", "`LABEL` of games whose value is the group of --spread-by (default all games of the region)")
	_ = cmd.RegisterFlagCompletionFunc("placement", cobra.FixedCompletions(
		[]string{string(operation.PlacementSpread), string(operation.PlacementPack)}, cobra.ShellCompDirectiveNoFileComp))
}

// applyPlacement overwrites fields of the spec by the flags that were given, and reports whether
// there were any.
func (f *placementFlags) applyPlacement(cmd *cobra.Command, spec *operation.Spec) (bool, error) {
	memory, errMemory := parseMemory("--request-memory", f.requestMemory)
	selector, errSelector := parseSelector(f.nodeSelector)
	tolerations, errTolerations := parseTolerations(f.tolerations)
	if err := errors.Join(errMemory, errSelector, errTolerations); err != nil {
		return false, err
	}
	changed := false
	for name, set := range map[string]func(){
		"request-cpus":   func() { spec.RequestCPUs = f.requestCPUs },
		"request-memory": func() { spec.RequestMemoryBytes = memory },
		"node-selector":  func() { spec.NodeSelector = selector },
		"toleration":     func() { spec.Tolerations = tolerations },
		"spread-by":      func() { spec.SpreadBy = f.spreadBy },
		"spread-group":   func() { spec.SpreadGroup = f.spreadGroup },
		"placement":      func() { spec.Placement = operation.PlacementPolicy(f.placement) },
	} {
		if cmd.Flags().Changed(name) {
			set()
			changed = true
		}
	}
	return changed, nil
}

// parseSelector returns labels by key, nil if there are none.
func parseSelector(given []string) (map[string]string, error) {
	if len(given) == 0 {
		return nil, nil
	}
	labels := map[string]string{}
	for _, text := range given {
		key, value, found := strings.Cut(text, "=")
		if _, isSet := labels[key]; !found || isSet {
			return nil, &runtime.InvalidError{Field: "--node-selector", Reason: fmt.Sprintf("%q is not KEY=VALUE of a new key", render.Truncate(text, 64))}
		}
		labels[key] = value
	}
	return labels, nil
}

func parseTolerations(given []string) ([]node.Toleration, error) {
	var tolerations []node.Toleration
	for _, text := range given {
		toleration, err := node.ParseToleration(text)
		if err != nil {
			return nil, &runtime.InvalidError{Field: "--toleration", Reason: err.Error()}
		}
		tolerations = append(tolerations, toleration)
	}
	return tolerations, nil
}
