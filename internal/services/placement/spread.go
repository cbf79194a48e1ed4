package placement

import "galaxy/rtmanager/internal/domain/node"

// groupOf returns the group of a game that is spread by a label, and the empty text for another game.
func groupOf(request Request) string {
	if request.Spec.SpreadBy == "" {
		return ""
	}
	return request.Spec.GroupOf(request.Labels)
}

// countSpread counts the games of the group of the request by the value that their node has of the label by which
// the game is spread; nil for a game that is not spread. Games on absent nodes do not count, nor does the game itself.
func (s *regionState) countSpread(request Request) map[string]int {
	key := request.Spec.SpreadBy
	if key == "" {
		return nil
	}
	values := map[node.Ref]string{}
	for _, n := range request.Nodes {
		if value, isLabeled := n.Labels[key]; isLabeled {
			values[n.Ref()] = value
		}
	}
	group, counts := groupOf(request), map[string]int{}
	add := func(ref node.Ref, groupOfGame string) {
		if value, isLabeled := values[ref]; isLabeled && groupOfGame == group {
			counts[value]++
		}
	}
	for _, game := range s.games {
		if game.id != request.GameID {
			add(game.node, request.Spec.GroupOf(game.labels))
		}
	}
	for ref, reserved := range s.reserved {
		for gameID, r := range reserved.Games {
			switch {
			case gameID == request.GameID:
			case group == "":
				add(ref, "")
			default:
				add(ref, r.Group)
			}
		}
	}
	return counts
}
