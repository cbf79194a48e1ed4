package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/federation"
)

// Stores is the response to GET /v1/stores.
type Stores struct {
	Items []Store `json:"items" nullable:"false" doc:"The daemon's own store, and then the other ones in the order of its settings"`
}

// Store is one store.
type Store struct {
	Name        string           `json:"name" doc:"The name of the store; that of the daemon's own store is the region of the daemon"`
	Local       bool             `json:"local,omitempty" doc:"Whether it is the daemon's own store"`
	URLs        []string         `json:"urls" nullable:"false" doc:"The URLs of its daemons; empty for the daemon's own store"`
	URL         string           `json:"url,omitempty" doc:"The URL that is in use: the first that responds"`
	State       federation.State `json:"state" doc:"Whether the store can be used; of a degraded one only local reads"`
	Error       string           `json:"error,omitempty" doc:"Why the store is not ready"`
	StoreID     string           `json:"store_id,omitempty" doc:"The identity of the store, as of the last response"`
	Version     string           `json:"version,omitempty" doc:"The version of the daemon that responded last"`
	Revision    int64            `json:"revision,omitempty" doc:"The revision of the store, as of the last response"`
	RespondedAt *time.Time       `json:"responded_at,omitempty" doc:"The time of the last response; absent before the first one"`
	AgeMS       int64            `json:"age_ms" doc:"The time since the last response in milliseconds; 0 for the daemon's own store"`
}

// StoreList is the part of one store in a list of all stores.
type StoreList struct {
	Name     string `json:"name" doc:"The name of the store"`
	StoreID  string `json:"store_id,omitempty" doc:"The identity of the store"`
	Revision int64  `json:"revision" doc:"The revision of the part, the same on all pages; 0 if the part is missing"`
	AgeMS    int64  `json:"age_ms" doc:"The time since the revision was read, in milliseconds"`
	Error    string `json:"error,omitempty" doc:"Why the part is missing, which only allow_partial=true allows"`
}

// StoreFrom converts a store as of now.
func StoreFrom(s federation.Store, now time.Time) Store {
	store := Store{
		Name: s.Name, Local: s.IsOwn, URLs: append([]string{}, s.URLs...), URL: s.URL, State: s.State, Error: s.Error,
		StoreID: s.ID, Version: s.Version, Revision: s.Revision,
	}
	if !s.RespondedAt.IsZero() {
		at := s.RespondedAt.UTC()
		store.RespondedAt, store.AgeMS = &at, max(0, now.Sub(s.RespondedAt).Milliseconds())
	}
	return store
}
