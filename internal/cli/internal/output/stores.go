package output

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Stores prints the stores of a daemon, and why stores are not ready.
func (p *Printer) Stores(stores api.Stores) error {
	if done, err := p.Encode(stores); done {
		return err
	}
	if len(stores.Items) == 0 {
		_, err := fmt.Fprintln(p.Err, "The daemon is of an earlier version, which uses no other stores.")
		return err
	}
	t := &render.Table{Header: []string{"STORE", "STATE", "URL", "VERSION", "REVISION", "AGE"}}
	if p.isWide() {
		t.Header = append(t.Header, "IDENTITY", "URLS")
	}
	for _, s := range stores.Items {
		row := []string{render.Cell(s.Name), render.Cell(string(s.State)), render.Cell(s.URL), render.Cell(s.Version), revisionText(s.Revision), storeAge(s)}
		if s.Local {
			row[2] = "(own)"
		}
		if p.isWide() {
			row = append(row, render.Cell(s.StoreID), render.Cell(strings.Join(s.URLs, ",")))
		}
		t.Add(row...)
	}
	if err := p.printTable(t); err != nil {
		return err
	}
	for _, s := range stores.Items {
		if s.State != federation.StateReady {
			_, _ = fmt.Fprintf(p.Err, "warning: store %s %s\n", render.Value(s.Name), render.Printable(s.Error))
		}
	}
	return nil
}

func revisionText(revision int64) string {
	if revision == 0 {
		return "-"
	}
	return strconv.FormatInt(revision, 10)
}

// storeAge returns the age of the last response of a store.
func storeAge(s api.Store) string {
	if s.RespondedAt == nil {
		return "-"
	}
	return render.Age(time.Duration(s.AgeMS) * time.Millisecond)
}

// itemOfStore is a record with its store and the revision of its last change.
type itemOfStore struct {
	Store string `json:"store"`
	versioned
}

// allStores is a list of all stores whose items have their stores and revisions.
type allStores struct {
	Stores   []api.StoreList `json:"stores"`
	Items    []itemOfStore   `json:"items"`
	Continue string          `json:"continue,omitempty"`
	Corrupt  []api.Corrupt   `json:"corrupt,omitempty"`
}

// AllStores prints a list of the records of all stores. Standard error has the revision of each, and
// the stores whose parts are missing.
func (p *Printer) AllStores(page api.Page) error {
	records := page.PortsPage().Records
	list := allStores{Stores: page.Stores, Items: make([]itemOfStore, len(records)), Continue: page.Continue, Corrupt: page.Corrupt}
	for i, v := range records {
		list.Items[i] = itemOfStore{page.ItemStores[i], versioned{v.Record, v.Revision}}
	}
	if done, err := p.Encode(list); done {
		return err
	}
	if len(records) > 0 {
		if err := p.printTable(p.allStoresTable(page.ItemStores, records)); err != nil {
			return err
		}
	}
	var revisions []string
	for _, s := range page.Stores {
		if s.Error == "" {
			revisions = append(revisions, fmt.Sprintf("%s at revision %d, %d ms ago", render.Value(s.Name), s.Revision, s.AgeMS))
		}
	}
	if len(records) == 0 {
		_, _ = fmt.Fprintln(p.Err, "rtmanager: list: no matching records")
	}
	_, _ = fmt.Fprintf(p.Err, "rtmanager: list: %s\n", strings.Join(revisions, "; "))
	for _, s := range page.Stores {
		if s.Error != "" {
			_, _ = fmt.Fprintf(p.Err, "warning: store %s is missing: %s\n", render.Value(s.Name), render.Printable(s.Error))
		}
	}
	return nil
}

// allStoresTable is the table of the records with the store of each.
func (p *Printer) allStoresTable(stores []string, records []runtime.VersionedRecord) *render.Table {
	t := p.recordTable(records)
	t.Header = slices.Concat([]string{"STORE"}, t.Header)
	for i := range t.Rows {
		t.Rows[i] = slices.Concat([]string{render.Cell(stores[i])}, t.Rows[i])
	}
	return t
}
