package api

import "galaxy/rtmanager/internal/domain/drift"

// DriftApply is the body of POST /v1/drift/apply.
type DriftApply struct {
	Findings []drift.Finding `json:"findings" required:"true" itemsRequired:"id,region,node,record_revision,intent_revision" minItems:"1" maxItems:"1000" doc:"Findings as they were reported. Required are id, region, node and the two revisions. A finding with an action is applied only if its node still proposes that action. The other members are ignored"`
}

// DriftApplied is the response to POST /v1/drift/apply.
type DriftApplied struct {
	Results []drift.ApplyResult `json:"results" nullable:"false" doc:"One result for each finding, in the order of the request"`
}
