package api

import (
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Page is one page of a list of records.
type Page struct {
	Revision      int64                   `json:"revision" doc:"The revision of the whole list"`
	Items         []runtime.RuntimeRecord `json:"items" nullable:"false" doc:"The records, ordered by key"`
	ItemRevisions []int64                 `json:"item_revisions" nullable:"false" doc:"For each item the revision of its last change, which is its ETag"`
	Continue      string                  `json:"continue,omitempty" doc:"The parameter continue of the request for the next page; absent on the last page"`
	Corrupt       []Corrupt               `json:"corrupt,omitempty" nullable:"false" doc:"Stored values that could not be decoded; absent if there are none"`
	Regions       []Region                `json:"regions,omitempty" nullable:"false" doc:"Each region: how current its records are, and which of its nodes are absent; absent if the daemon is not part of a cluster"`
	Stores        []StoreList             `json:"stores,omitempty" nullable:"false" doc:"Of a list of all stores: each store, in the order of the items. Revision is 0 then: every store has one of its own"`
	ItemStores    []string                `json:"item_stores,omitempty" nullable:"false" doc:"Of a list of all stores: for each item the name of its store"`
}

// Corrupt names one stored value that could not be decoded.
type Corrupt struct {
	Store  string `json:"store,omitempty" doc:"Of a list of all stores: the store"`
	Key    string `json:"key" doc:"The key in the store"`
	GameID string `json:"game_id,omitempty" doc:"The game, if the key contains it"`
	Reason string `json:"reason" doc:"Why the value could not be decoded"`
}

// PageFrom converts a page of the store, without Continue.
func PageFrom(p ports.Page) Page {
	page := Page{
		Revision:      p.Revision,
		Items:         make([]runtime.RuntimeRecord, len(p.Records)),
		ItemRevisions: make([]int64, len(p.Records)),
		Corrupt:       CorruptFrom(p.Corrupt),
		Regions:       RegionsFrom(p.Regions),
	}
	for i, r := range p.Records {
		page.Items[i], page.ItemRevisions[i] = r.Record, r.Revision
	}
	return page
}

// PortsPage is the inverse of PageFrom; Next is Continue. Item revisions that the server
// did not send are zero.
func (p Page) PortsPage() ports.Page {
	page := ports.Page{
		Revision: p.Revision,
		Records:  make([]runtime.VersionedRecord, len(p.Items)),
		Next:     p.Continue,
		Regions:  RegionStates(p.Regions),
	}
	for i, item := range p.Items {
		page.Records[i].Record = item
		if i < len(p.ItemRevisions) {
			page.Records[i].Revision = p.ItemRevisions[i]
		}
	}
	for _, c := range p.Corrupt {
		page.Corrupt = append(page.Corrupt, c.Err())
	}
	return page
}

// CorruptFrom converts errors of the store, nil for none.
func CorruptFrom(errs []*runtime.CorruptError) []Corrupt {
	var all []Corrupt
	for _, e := range errs {
		all = append(all, Corrupt{Key: e.Key, GameID: e.GameID, Reason: e.Reason})
	}
	return all
}

// Err is the inverse of CorruptFrom for one value.
func (c Corrupt) Err() *runtime.CorruptError {
	return &runtime.CorruptError{Key: c.Key, GameID: c.GameID, Reason: c.Reason}
}

// History is the ledger of one game.
type History struct {
	GameID  string                `json:"game_id" doc:"The game"`
	Items   []runtime.LedgerEntry `json:"items" nullable:"false" doc:"The recent entries, newest first"`
	Corrupt []Corrupt             `json:"corrupt,omitempty" nullable:"false" doc:"Entries that could not be decoded; absent if there are none"`
}

// StatusChange is the body of POST /v1/runtimes/{game_id}/status.
type StatusChange struct {
	ExpectedFrom        runtime.Status `json:"expected_from" required:"true" doc:"The status that the record must have"`
	ExpectedContainerID string         `json:"expected_container_id,omitempty" doc:"The container id that the record must have; empty or absent allows any"`
	To                  runtime.Status `json:"to" required:"true" doc:"The status to change to"`
	Now                 *string        `json:"now,omitempty" nullable:"false" format:"date-time" doc:"The time of the transition; absent means the server's clock"`
	Reason              string         `json:"reason,omitempty" doc:"The reason, for the ledger; at most 1024 bytes"`
}
