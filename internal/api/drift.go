package api

import "galaxy/rtmanager/internal/domain/drift"

// DriftApply is the body that asks for findings to be acted on.
type DriftApply struct {
	Findings []drift.Finding `json:"findings" nullable:"false" minItems:"1" maxItems:"1000" doc:"Findings as they were reported. id, region, node and the two revisions are needed; an action, where it is given, is the only one that is taken; the rest is passed over"`
}

// DriftApplied tells what became of each finding.
type DriftApplied struct {
	Results []drift.ApplyResult `json:"results" nullable:"false" doc:"One for each finding, in the order of the request"`
}
