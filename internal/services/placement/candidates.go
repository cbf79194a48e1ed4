package placement

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/domain/node"
)

// Candidates returns the nodes that run an engine, of one region, or of all regions if region is
// empty. The order of nodes is kept.
func Candidates(nodes []node.Node, region string) []node.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n node.Node) bool {
		return n.Engine == "" || region != "" && n.Region != region
	})
}

// exclusion returns why the node cannot run the game, and an empty text if it can. It is the only
// place that decides this. A node that the caller named need not be free of taints.
func (r Request) exclusion(n node.Node, used node.Usage) string {
	if reason := r.Excluded[n.Ref()]; reason != "" {
		return reason
	}
	if r.Current != nil {
		return n.Capacity.GrowthShortage(used, *r.Current, r.Spec.Requests())
	}
	if mark := n.Settings.Cordoned; mark != nil {
		if detail := mark.String(); detail != "" {
			return "is cordoned (" + detail + ")"
		}
		return "is cordoned"
	}
	if missing := r.missingLabels(n); missing != "" {
		return "lacks the label " + missing
	}
	if taint, found := r.findUntolerated(n, node.NoSchedule); found && !r.IsNamed {
		return fmt.Sprintf("has the taint %s, which the game does not tolerate", taint)
	}
	return n.Capacity.Shortage(used, r.Spec.Requests())
}

// resources returns what is reserved for the game: at least as much as it has requested so far, because a
// patch that fails restores that.
func (r Request) resources() node.Resources {
	requested := r.Spec.Requests()
	if r.Current != nil {
		requested = requested.Max(*r.Current)
	}
	return requested
}

// missingLabels returns the labels of the node selector that the node does not have.
func (r Request) missingLabels(n node.Node) string {
	var missing []string
	for _, key := range slices.Sorted(maps.Keys(r.Spec.NodeSelector)) {
		if value, found := n.Labels[key]; !found || value != r.Spec.NodeSelector[key] {
			missing = append(missing, key+"="+r.Spec.NodeSelector[key])
		}
	}
	return strings.Join(missing, ",")
}

// findUntolerated returns the first taint of the effect that the game does not tolerate.
func (r Request) findUntolerated(n node.Node, effect node.TaintEffect) (node.Taint, bool) {
	for _, taint := range n.Taints {
		isTolerated := slices.ContainsFunc(r.Spec.Tolerations, func(t node.Toleration) bool { return t.Tolerates(taint) })
		if taint.Effect == effect && !isTolerated {
			return taint, true
		}
	}
	return node.Taint{}, false
}

// countAvoided returns the number of PreferNoSchedule taints that the game does not tolerate.
func (r Request) countAvoided(n node.Node) int {
	count := 0
	for _, taint := range n.Taints {
		isTolerated := slices.ContainsFunc(r.Spec.Tolerations, func(t node.Toleration) bool { return t.Tolerates(taint) })
		if taint.Effect == node.PreferNoSchedule && !isTolerated {
			count++
		}
	}
	return count
}
