package check

import (
	"fmt"
	"slices"
	"strings"
)

// The rules.
const (
	RuleWrites     = "writes"
	RuleReads      = "reads"
	RuleLists      = "lists"
	RuleOrder      = "order"
	RuleLocal      = "local reads"
	RuleWatches    = "watches"
	RuleInvariants = "invariants"
	RuleFences     = "fences"
	RuleContainers = "containers"
	RuleLiveness   = "liveness"
)

// Rules returns all rules.
func Rules() []string {
	return []string{RuleWrites, RuleReads, RuleLists, RuleOrder, RuleLocal, RuleWatches, RuleInvariants, RuleFences, RuleContainers, RuleLiveness}
}

// Violation is one broken promise.
type Violation struct {
	Rule    string
	Summary string
	// Evidence is the shortest history that shows it: calls, events and changes, one per line.
	Evidence []string
}

// String returns the violation with its evidence.
func (v Violation) String() string {
	text := v.Rule + ": " + v.Summary
	for _, line := range v.Evidence {
		text += "\n    " + line
	}
	return text
}

// Report is the result of a check.
type Report struct {
	// Violations are the first ones of each rule, at most MaxViolations.
	Violations []Violation
	// Skipped are the rules that were not checked, because the changes of etcd were not recorded.
	Skipped []string
	// Undecided are the checks that were not completed. Such a run is void.
	Undecided []string
	Stats     Stats
}

// MaxViolations bounds the violations of one rule in a report.
const MaxViolations = 50

// Minimum is what a run must have at least, so that it proves something. The zero value requires
// nothing.
type Minimum struct {
	Calls  int
	Faults int // that were injected without an error
	// UnknownShare is the least share of calls of unknown outcome among the writes, 0 to 1.
	UnknownShare float64
	Changes      int
	Events       int
	// Examined is the least number of items that each of these rules must have examined.
	Examined map[string]int
}

// Void returns why the run proves nothing, nil if it has the minimum.
func (r Report) Void(minimum Minimum) error {
	s := r.Stats
	if len(r.Undecided) > 0 {
		return fmt.Errorf("the run is void: %s", strings.Join(r.Undecided, "; "))
	}
	if len(s.Unrepaired) > 0 {
		return fmt.Errorf("the run is void: the cluster was not repaired: %s", strings.Join(s.Unrepaired, "; "))
	}
	for _, count := range []struct {
		name       string
		has, least int
	}{
		{"calls", s.Calls, minimum.Calls}, {"faults", s.InjectedFaults(), minimum.Faults},
		{"changes", s.Changes, minimum.Changes}, {"events", s.Events, minimum.Events},
	} {
		if count.has < count.least {
			return fmt.Errorf("the run is void: it has %d %s, fewer than %d", count.has, count.name, count.least)
		}
	}
	if s.UnknownShare < minimum.UnknownShare {
		return fmt.Errorf("the run is void: %.2f %% of its writes have an unknown outcome, fewer than %.2f %%", 100*s.UnknownShare, 100*minimum.UnknownShare)
	}
	for _, rule := range Rules() {
		if least := minimum.Examined[rule]; s.Examined[rule] < least {
			return fmt.Errorf("the run is void: rule %s examined %d items, fewer than %d", rule, s.Examined[rule], least)
		}
	}
	return nil
}

// add reports a violation.
func (c *checker) add(rule, summary string, evidence ...string) {
	c.report.Stats.Broken[rule]++
	if c.report.Stats.Broken[rule] <= MaxViolations {
		c.report.Violations = append(c.report.Violations, Violation{Rule: rule, Summary: summary, Evidence: slices.Compact(evidence)})
	}
}

// examine counts items that a rule has examined.
func (c *checker) examine(rule string, n int) { c.report.Stats.Examined[rule] += n }
