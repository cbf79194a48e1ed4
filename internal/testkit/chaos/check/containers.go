package check

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// nodeSample is the containers that ran on a node at one time, by game.
type nodeSample struct {
	node   string
	at     int64
	byGame map[string]recording.Container
}

func (s *nodeSample) describe(container recording.Container) string {
	if container == (recording.Container{}) {
		return fmt.Sprintf("%v %s: the game does not run", time.Duration(s.at), s.node)
	}
	return fmt.Sprintf("%v %s: game %s runs in container %s, process %d", time.Duration(s.at), s.node, container.Game, container.ID, container.PID)
}

// checkContainers checks that no game has two containers, and that records and containers agree after
// the run.
func (c *checker) checkContainers() {
	byNode := map[string][]nodeSample{}
	for i := range c.samples {
		if sample := &c.samples[i]; sample.Kind == recording.Containers {
			byNode[sample.Subject] = append(byNode[sample.Subject], c.parseContainers(sample))
		}
	}
	c.checkOneContainer(byNode)
	if len(c.report.Stats.Unrepaired) > 0 {
		return // the cluster may have a reason not to recover
	}
	for _, node := range c.run.Nodes {
		if samples := byNode[node]; len(samples) > 0 && c.isFinal(node, samples[len(samples)-1].at) {
			c.checkFinalContainers(&samples[len(samples)-1])
		}
	}
	if len(byNode) > 0 {
		c.checkLostGames()
	}
}

// parseContainers returns the sample, and reports a game that has two containers in it.
func (c *checker) parseContainers(sample *recording.Sample) nodeSample {
	c.examine(RuleContainers, 1)
	s := nodeSample{node: sample.Subject, at: sample.At, byGame: map[string]recording.Container{}}
	var containers []recording.Container
	if err := json.Unmarshal(sample.Value, &containers); err != nil {
		c.add(RuleContainers, fmt.Sprintf("the sample of node %s is not a list of containers: %v", sample.Subject, err), string(sample.Value))
	}
	for _, container := range containers {
		container.Game = c.gameOf(container)
		if first, isSecond := s.byGame[container.Game]; isSecond {
			c.add(RuleContainers, fmt.Sprintf("game %s has two containers on node %s", container.Game, sample.Subject), s.describe(first), s.describe(container))
		}
		s.byGame[container.Game] = container
	}
	return s
}

// gameOf returns the game of a container. A sample has no game if the container could not be read
// completely; then it is the game whose record named the container, or else the id of the container.
func (c *checker) gameOf(container recording.Container) string {
	if container.Game != "" {
		return container.Game
	}
	if c.byContainer == nil {
		c.byContainer = map[string]string{}
		for id, g := range c.history.Games {
			for _, v := range g.Versions {
				if v.Record != nil {
					c.byContainer[v.Record.ContainerID] = id
				}
			}
		}
	}
	return cmp.Or(c.byContainer[container.ID], container.ID)
}

// checkOneContainer checks that no game has containers on two nodes at one time, unless one of the
// nodes was absent shortly before: its games are started on another node then.
func (c *checker) checkOneContainer(byNode map[string][]nodeSample) {
	for _, node := range c.run.Nodes {
		for _, other := range c.run.Nodes {
			if node < other {
				c.checkNodes(byNode[node], byNode[other])
			}
		}
	}
}

// checkNodes compares the samples of two nodes.
func (c *checker) checkNodes(samples, others []nodeSample) {
	reported := map[string]bool{}
	next := 0
	for i := range samples {
		s := &samples[i]
		for next < len(others) && others[next].at < s.at {
			next++
		}
		if next == 0 || next == len(others) {
			continue // not between two samples of the other node
		}
		earlier, later := &others[next-1], &others[next]
		for game, container := range s.byGame {
			before, wasAlive := earlier.byGame[game]
			after, isAlive := later.byGame[game]
			if !wasAlive || !isAlive || before != after || reported[game] {
				continue // the other container may have been alive at another time only
			}
			from := s.at - recoveryTime
			if c.wasAbsent(s.node, from, s.at) || c.wasAbsent(later.node, from, s.at) {
				continue
			}
			reported[game] = true
			c.add(RuleContainers, fmt.Sprintf("game %s has containers on the nodes %s and %s, and both are present", game, s.node, later.node),
				earlier.describe(before), s.describe(container), later.describe(after))
		}
	}
}

// wasAbsent reports whether the node had no presence key at some time of the range.
func (c *checker) wasAbsent(node string, from, to int64) bool {
	isPresent := false
	for _, state := range c.history.Keys[truth.NodeKeyOf(c.history.Prefix, node)] {
		switch {
		case state.At > to:
			return !isPresent
		case state.At > from && (!isPresent || state.Created == 0):
			return true
		}
		isPresent = state.Created != 0
	}
	return !isPresent
}

// isFinal reports whether the state of a node at the time is that after the run: it has had its time
// to recover, or the harness found its final state earlier.
func (c *checker) isFinal(node string, at int64) bool {
	isDone := func(s recording.Sample) bool {
		return s.Kind == recording.FinalDrift && s.Subject == node && s.At <= at
	}
	return at >= c.run.Stable && (at-c.run.Stable >= recoveryTime || slices.ContainsFunc(c.samples, isDone))
}

// checkFinalContainers compares the containers of a node with the records after the run.
func (c *checker) checkFinalContainers(s *nodeSample) {
	for id, g := range c.history.Games {
		v := g.At(c.history.Last)
		if !v.Exists() || v.Record == nil || v.At > s.at || v.Record.Status != truth.Running || v.Record.Region+"/"+v.Record.Node != s.node {
			continue
		}
		c.examine(RuleContainers, 1)
		if container, isAlive := s.byGame[id]; !isAlive || container.ID != v.Record.ContainerID {
			c.add(RuleContainers, fmt.Sprintf("game %s is recorded as running on node %s after the run, and its container does not run", id, s.node), describeVersion(v), s.describe(container))
		}
	}
	for id, container := range s.byGame {
		v := c.history.Games[id].At(c.history.Last)
		if v != nil && v.At > s.at {
			continue // changed after the sample
		}
		c.examine(RuleContainers, 1)
		if !v.Exists() || v.Record == nil || v.Record.Status != truth.Running || v.Record.ContainerID != container.ID || v.Record.Region+"/"+v.Record.Node != s.node {
			c.add(RuleContainers, fmt.Sprintf("the container %s of game %s on node %s has no running record after the run", container.ID, id, s.node), describeVersion(v), s.describe(container))
		}
	}
}

// checkLostGames checks that each game whose start was acknowledged last runs after the run.
func (c *checker) checkLostGames() {
	starts, ends := map[string]*recording.Call{}, map[string]int64{}
	for i := range c.calls {
		call := &c.calls[i]
		switch call.Method {
		case recording.Start:
			if call.Outcome == recording.Done {
				starts[call.Game] = call
			}
		case recording.Stop, recording.Cleanup, recording.Delete:
			if mayHaveApplied(call) {
				ends[call.Game] = max(ends[call.Game], call.Returned)
			}
		default:
		}
	}
	for game, start := range starts {
		if ends[game] >= start.Started {
			continue // stopped later, or concurrently
		}
		c.examine(RuleContainers, 1)
		if v := c.history.Games[game].At(c.history.Last); !v.Exists() || v.Record == nil || v.Record.Status != truth.Running {
			c.add(RuleContainers, fmt.Sprintf("game %s is lost: it was started and never stopped, and does not run after the run", game), describeCall(start), describeVersion(v))
		}
	}
}
