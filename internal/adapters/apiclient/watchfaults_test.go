package apiclient_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/apiclient"
	"galaxy/rtmanager/internal/adapters/memstore"
	"galaxy/rtmanager/internal/adapters/restapi"
	"galaxy/rtmanager/internal/adapters/restapi/wire"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// network dials connections that fail after a number of bytes from the server.
type network struct {
	mu sync.Mutex // guards the rest
	// allow is how many bytes each next connection passes; none is left when it
	// is used up, and then connections pass all.
	allow []int
	// silent connections end with silence instead of a reset.
	silent bool
	dials  int
	last   *badLine
}

func (n *network) config() apiclient.Config {
	cfg := patient()
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: n.dial}}
	return cfg
}

func (n *network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	n.last = &badLine{Conn: conn, left: -1, silent: n.silent, closed: make(chan struct{})}
	if len(n.allow) > 0 {
		n.last.left, n.allow = n.allow[0], n.allow[1:]
	}
	return n.last, nil
}

// cut breaks the newest connection.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = n.last.Close()
}

// badLine passes so many bytes of what comes in, all of it when left is negative.
type badLine struct {
	net.Conn
	left   int
	silent bool
	once   sync.Once
	closed chan struct{}
}

func (l *badLine) Read(p []byte) (int, error) {
	switch {
	case l.left < 0:
		return l.Conn.Read(p)
	case l.left == 0 && l.silent:
		<-l.closed
		return 0, net.ErrClosed
	case l.left == 0:
		return 0, syscall.ECONNRESET
	}
	n, err := l.Conn.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

func (l *badLine) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

// follow ranges over a watch until the consumer returns false, and returns the
// error that ended it. It fails the test when that takes too long.
func follow(t *testing.T, s ports.RuntimeWatcher, options ports.WatchOptions, consumer func(ports.RuntimeEvent) bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for event, err := range s.Watch(ctx, options) {
		if err != nil {
			require.NoError(t, ctx.Err(), "the watch still waits for what does not come")
			require.Zero(t, event, "the event beside the error %v", err)
			return err
		}
		if !consumer(event) {
			return nil
		}
	}
	return errors.New("the watch ended without an error")
}

// changer makes changes of many games from another goroutine, at most so far
// ahead of the consumer as credit allows, and keeps what the store told it.
type changer struct {
	store  *memstore.Store
	random *rand.Rand
	credit chan struct{}
	done   chan struct{}
	wrote  []ports.VersionedRecord
	err    error
}

func (c *changer) run(ctx context.Context, changes int) {
	defer close(c.done)
	for n := range changes {
		select {
		case <-c.credit:
		case <-ctx.Done():
			return
		}
		record := running("game-" + strconv.Itoa(c.random.IntN(20)))
		record.Generation = int64(n)
		if n == changes-1 {
			record.GameID = "the last"
		}
		written, err := c.store.Put(ctx, ports.PutInput{Record: record})
		if err != nil {
			c.err = err
			return
		}
		c.wrote = append(c.wrote, written)
	}
}

func TestWatchLosesAndRepeatsNothingOverABadLine(t *testing.T) {
	t.Parallel()
	const changes = 1500
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // where it breaks need not be secret
	line := &network{allow: []int{2000}}
	for range 60 {
		line.allow = append(line.allow, random.IntN(20_000))
	}
	cfg := line.config()
	reconnects, from := 0, int64(0)
	cfg.OnReconnect = func(err error, revision int64) {
		reconnects++
		require.Error(t, err, "why the client reconnects")
		require.GreaterOrEqual(t, revision, from, "where reconnect %d resumes; the one before resumed from %d", reconnects, from)
		from = revision
	}
	r := overHTTP(t, cfg, nil)
	holds := map[string]*runtime.RuntimeRecord{}
	for n := range 20 {
		require.NoError(t, r.store.Upsert(t.Context(), running("game-"+strconv.Itoa(n))))
	}
	writer := &changer{store: r.store, random: rand.New(rand.NewPCG(seed, 1)), credit: make(chan struct{}, changes+100), done: make(chan struct{})} //nolint:gosec // as above
	ctx, cancel := context.WithCancel(t.Context())
	defer func() { cancel(); <-writer.done }()
	for range 100 {
		writer.credit <- struct{}{}
	}
	go writer.run(ctx, changes)

	var got []ports.VersionedRecord
	synced := int64(0)
	err := follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		switch event.Type {
		case ports.EventSnapshot:
			require.Zero(t, synced, "%+v after the snapshot was complete", event)
			require.NotContains(t, holds, event.GameID, "the snapshot names it once")
			holds[event.GameID] = event.After
		case ports.EventSynced:
			require.Zero(t, synced, "synced came twice")
			synced = event.Revision
			for range synced - 21 { // changes that the snapshot holds
				writer.credit <- struct{}{}
			}
		case ports.EventBookmark:
		default:
			require.Equal(t, ports.EventUpserted, event.Type)
			require.True(t, event.Last, "every revision here has one event, got %+v", event)
			require.Equal(t, holds[event.GameID], event.Before, "what revision %d replaced", event.Revision)
			holds[event.GameID] = event.After
			got = append(got, ports.VersionedRecord{Record: *event.After, Revision: event.Revision})
			writer.credit <- struct{}{}
		}
		return event.GameID != "the last"
	})
	require.NoError(t, err)
	<-writer.done
	require.NoError(t, writer.err)
	require.Len(t, writer.wrote, changes)
	require.Equal(t, writer.wrote[synced-21:], got, "the changes after the snapshot at revision %d", synced)
	require.GreaterOrEqual(t, reconnects, 24, "too few breaks to prove anything")
	require.Equal(t, line.dials-1, reconnects, "each connection but the first is made by a reconnect that is told")
}

func TestWatchThatFallsSilentIsMadeAgain(t *testing.T) {
	t.Parallel()
	line := &network{silent: true, allow: []int{2000, 3000, 0, 700}}
	cfg := line.config()
	cfg.SilenceTimeout, cfg.RequestTimeout = 300*time.Millisecond, 2*time.Second
	var r remote
	var reasons []error
	cfg.OnReconnect = func(err error, _ int64) {
		reasons = append(reasons, err)
		require.NoError(t, r.store.Upsert(t.Context(), running("late-"+strconv.Itoa(len(reasons)))))
	}
	r = overHTTP(t, cfg, nil)
	for n := range 10 {
		require.NoError(t, r.store.Upsert(t.Context(), running(strconv.Itoa(n))))
	}
	seen, changes := map[string]int{}, 0
	require.NoError(t, follow(t, r, ports.WatchOptions{FromRevision: 1}, func(event ports.RuntimeEvent) bool {
		if event.Type == ports.EventBookmark {
			return true
		}
		seen[event.GameID]++
		changes++
		require.Equal(t, int64(changes+1), event.Revision, "revision of change %d", changes)
		return event.GameID != "late-4"
	}))
	for game, times := range seen {
		require.Equal(t, 1, times, "events of %s, which was written once", game)
	}
	require.Len(t, seen, 14)
	require.ErrorContains(t, reasons[0], "the stream was silent for 300ms")
	require.ErrorContains(t, reasons[2], "the server did not begin the stream in time")
}

// A server that never answers, or never to the end, is no end of the caller's
// context.
func TestWatchThatIsNotAnsweredInTimeIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]http.HandlerFunc{
		"silence": func(http.ResponseWriter, *http.Request) {},
		"a refusal that does not end": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := patient()
			cfg.RequestTimeout = 100 * time.Millisecond
			r := overHTTP(t, cfg, spoil(func(w http.ResponseWriter, r *http.Request) {
				begin(w, r)
				<-r.Context().Done()
			}))
			err := follow(t, r, ports.WatchOptions{}, func(ports.RuntimeEvent) bool { return true })
			requireOnly(t, runtime.ErrUnavailable, err)
			require.ErrorContains(t, err, "the server did not begin the stream in time")
			require.NotErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

// replaceable stands for the server behind one address.
type replaceable struct{ handler atomic.Pointer[http.Handler] }

func (p *replaceable) middleware(api http.Handler) http.Handler {
	p.handler.Store(&api)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*p.handler.Load()).ServeHTTP(w, r) })
}

func (p *replaceable) replace(t *testing.T, store ports.Store) {
	t.Helper()
	api, err := restapi.New(store, restapi.Config{})
	require.NoError(t, err)
	handler := api.Handler()
	p.handler.Store(&handler)
}

// holding returns a store whose games were written in this order.
func holding(t *testing.T, games ...string) *memstore.Store {
	t.Helper()
	store := memstore.New()
	for _, game := range games {
		require.NoError(t, store.Upsert(t.Context(), running(game)))
	}
	return store
}

// told is what a test compares of an event.
type told struct {
	kind     ports.EventType
	revision int64
	game     string
	last     bool
}

// anonymous is a store that cannot say who it is.
type anonymous struct{ *memstore.Store }

func (anonymous) Info(context.Context) (ports.StoreInfo, error) {
	return ports.StoreInfo{}, runtime.ErrUnavailable
}

func TestWatchNoticesThatAnotherStoreAnswers(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]*memstore.Store{
		"with lower revisions":  holding(t, "b"),
		"with higher revisions": holding(t, "b", "b", "d", "d", "d", "d", "d", "d"),
	} {
		for _, resync := range []bool{false, true} {
			t.Run(name+"/resync="+strconv.FormatBool(resync), func(t *testing.T) {
				t.Parallel()
				var line network
				var place replaceable
				r := overHTTP(t, line.config(), place.middleware)
				for _, game := range []string{"a", "b", "c"} {
					require.NoError(t, r.store.Upsert(t.Context(), running(game)))
				}
				var got []told
				var gone *runtime.RuntimeRecord
				err := follow(t, r, ports.WatchOptions{Resync: resync}, func(event ports.RuntimeEvent) bool {
					switch {
					case event.Type == ports.EventSynced && got == nil:
						r.store.Delete("c")
					case event.GameID == "c" && event.Type == ports.EventDeleted:
						got = []told{}
						place.replace(t, other)
						line.cut()
					case got != nil:
						got = append(got, told{event.Type, event.Revision, event.GameID, event.Last})
						if event.Type == ports.EventDeleted {
							gone = event.Before
							require.Nil(t, event.After)
						}
						return event.Type != ports.EventSynced
					}
					return true
				})
				if !resync {
					requireOnly(t, runtime.ErrForeignRevision, err)
					require.Empty(t, got, "events after the other store came")
					return
				}
				require.NoError(t, err)
				revision, err := other.Revision(t.Context())
				require.NoError(t, err)
				want := []told{{ports.EventResync, revision, "", false}, {ports.EventSnapshot, revision, "b", false}}
				if name == "with higher revisions" {
					want = append(want, told{ports.EventSnapshot, revision, "d", false})
				}
				require.Equal(t, append(want, told{ports.EventDeleted, revision, "a", false}, told{ports.EventSynced, revision, "", true}), got)
				require.Equal(t, running("a"), *gone, "what vanished, as the consumer knew it")
			})
		}
	}
}

// A server that could not say whose revisions it gave does not make the client
// forget whose it holds.
func TestWatchRemembersTheStoreOverAServerThatCannotNameIt(t *testing.T) {
	t.Parallel()
	var line network
	var place replaceable
	r := overHTTP(t, line.config(), place.middleware)
	require.NoError(t, r.store.Upsert(t.Context(), running("a")))
	other := holding(t, "x", "x", "x", "x", "x", "x")
	err := follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		if event.Type == ports.EventSynced {
			place.replace(t, anonymous{r.store})
			line.cut()
			require.NoError(t, r.store.Upsert(t.Context(), running("next")))
		}
		if event.Type == ports.EventUpserted {
			require.Equal(t, "next", event.GameID, "got a change of the other store: %+v", event)
			place.replace(t, other)
			line.cut()
		}
		return true
	})
	requireOnly(t, runtime.ErrForeignRevision, err)
}

// A consumer that was told nothing yet holds no revision that could be foreign.
func TestWatchCutBeforeItsSnapshotTakesTheNextServersStore(t *testing.T) {
	t.Parallel()
	line := network{allow: []int{1500}}
	var place replaceable
	cfg := line.config()
	cfg.OnReconnect = func(_ error, from int64) {
		require.Zero(t, from, "revision to resume from")
		place.replace(t, holding(t, "b"))
	}
	r := overHTTP(t, cfg, place.middleware)
	for n := range 20 {
		require.NoError(t, r.store.Upsert(t.Context(), running(strconv.Itoa(n))))
	}
	var got []told
	require.NoError(t, follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		got = append(got, told{event.Type, event.Revision, event.GameID, event.Last})
		return event.Type != ports.EventSynced
	}))
	require.Equal(t, []told{{ports.EventSnapshot, 2, "b", false}, {ports.EventSynced, 2, "", true}}, got)
}

// The connection on which the new snapshot comes breaks once too.
func TestWatchOverACompactionWhileAway(t *testing.T) {
	t.Parallel()
	for _, resync := range []bool{false, true} {
		t.Run("resync="+strconv.FormatBool(resync), func(t *testing.T) {
			t.Parallel()
			line := network{allow: []int{-1, 1500}}
			cfg := line.config()
			var r remote
			large := running("b")
			large.StatePath = strings.Repeat("/x", 2000)
			reconnects := 0
			cfg.OnReconnect = func(error, int64) {
				if reconnects++; reconnects > 1 {
					return
				}
				r.store.Delete("a")
				require.NoError(t, r.store.Upsert(t.Context(), large))
				require.NoError(t, r.store.Compact(5))
			}
			r = overHTTP(t, cfg, nil)
			require.NoError(t, r.store.Upsert(t.Context(), running("a")))
			require.NoError(t, r.store.Upsert(t.Context(), running("b")))
			var got []told
			err := follow(t, r, ports.WatchOptions{Resync: resync}, func(event ports.RuntimeEvent) bool {
				got = append(got, told{event.Type, event.Revision, event.GameID, event.Last})
				if event.Type == ports.EventSynced && len(got) == 3 {
					line.cut()
				}
				return event.Type != ports.EventSynced || len(got) == 3
			})
			require.Equal(t, []told{{ports.EventSnapshot, 3, "a", false}, {ports.EventSnapshot, 3, "b", false}, {ports.EventSynced, 3, "", true}}, got[:3])
			if !resync {
				requireOnly(t, runtime.ErrCompacted, err)
				require.Len(t, got, 3, "events: %v", got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 2, reconnects)
			require.Equal(t, ports.EventResync, got[3].kind, "got %v", got)
			require.Equal(t, []told{{ports.EventSnapshot, 5, "b", false}, {ports.EventDeleted, 5, "a", false}, {ports.EventSynced, 5, "", true}}, got[4:])
		})
	}
}

// spoil answers the first watch so, and leaves later ones to the API.
func spoil(answer http.HandlerFunc) func(http.Handler) http.Handler {
	var asked atomic.Int64
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == 1 {
				answer(w, r)
				return
			}
			api.ServeHTTP(w, r)
		})
	}
}

func TestWatchMakesNoEventOfWhatIsNone(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ stream, reason string }{
		"nothing":                {"", "the stream broke: EOF"},
		"no JSON":                {"garbage\n", "is no event"},
		"no object":              {"[]\n", "is no event"},
		"a wrong type of member": {`{"type":"synced","revision":"7","last":true}` + "\n", "is no event"},
		"two events in a line":   {`{"type":"synced","last":true}{"type":"synced","last":true}` + "\n", "is no event"},
		"null":                   {"null\n", "event without a type"},
		"no type":                {`{"revision":7,"game_id":"a","last":true}` + "\n", "event without a type"},
		"a line without its end": {`{"type":"synced","revision":7,"last":true}`, "the stream broke: EOF"},
		"half a revision":        {`{"type":"upserted","revision":7,"game_id":"x"}` + "\n", "the stream broke: EOF"},
		"half a snapshot":        {`{"type":"snapshot","revision":7,"game_id":"x"}` + "\n", "the stream broke: EOF"},
		"an endless line":        {strings.Repeat("x", 5<<20), "token too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := patient()
			var reasons []error
			cfg.OnReconnect = func(err error, from int64) {
				require.Zero(t, from, "revision to resume from")
				reasons = append(reasons, err)
			}
			r := overHTTP(t, cfg, spoil(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", wire.NDJSONMediaType)
				_, _ = io.WriteString(w, row.stream)
			}))
			require.NoError(t, r.store.Upsert(t.Context(), running("a")))
			var got []told
			require.NoError(t, follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
				got = append(got, told{event.Type, event.Revision, event.GameID, event.Last})
				return event.Type != ports.EventSynced
			}))
			require.Equal(t, []told{{ports.EventSnapshot, 2, "a", false}, {ports.EventSynced, 2, "", true}}, got)
			require.Len(t, reasons, 1, "reconnects")
			require.ErrorContains(t, reasons[0], row.reason)
		})
	}
}

// Whatever else answers in the API's place ends the watch, at first and later;
// only a gateway's word that nothing is behind it is waited out, once a watch
// has begun.
func TestWatchAnsweredByAnotherThanTheAPI(t *testing.T) {
	t.Parallel()
	for status, passes := range map[int]bool{
		http.StatusOK: false, http.StatusNoContent: false, http.StatusForbidden: false, http.StatusNotFound: false,
		http.StatusInternalServerError: false,
		http.StatusBadGateway:          true, http.StatusServiceUnavailable: true, http.StatusGatewayTimeout: true,
	} {
		answer := func(w http.ResponseWriter, _ *http.Request) {
			if status == http.StatusNoContent {
				w.WriteHeader(status)
				return
			}
			page(w, status)
		}
		ends := func(t *testing.T, err error) {
			t.Helper()
			requireOnly(t, nil, err)
			require.ErrorContains(t, err, strconv.Itoa(status)+" "+http.StatusText(status)+", which is not an answer of the API")
		}
		t.Run("at first/"+strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			cfg := patient()
			cfg.OnReconnect = func(err error, _ int64) { require.NoError(t, err, "the client reconnects") }
			r := overHTTP(t, cfg, spoil(answer))
			ends(t, follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
				require.Zero(t, event, "an event of a page")
				return false
			}))
		})
		t.Run("later/"+strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			var line network
			var place replaceable
			cfg := line.config()
			r := overHTTP(t, cfg, place.middleware)
			err := follow(t, r, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
				if event.Type == ports.EventSynced {
					api := place.handler.Load()
					spoiled := spoil(answer)(*api)
					place.handler.Store(&spoiled)
					line.cut()
					require.NoError(t, r.store.Upsert(t.Context(), running("a")))
				}
				return event.Type == ports.EventSynced
			})
			if passes {
				require.NoError(t, err, "the watch goes on to the change behind the page")
				return
			}
			ends(t, err)
		})
	}
}

func TestWatchEndsWithItsContextWhereverItIs(t *testing.T) {
	t.Parallel()
	hold := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	}
	for name, row := range map[string]struct {
		middleware func(http.Handler) http.Handler
		away       bool // the connection breaks after the snapshot
		early      bool // the context ends before anything came
	}{
		"idle":                  {},
		"waiting for an answer": {middleware: hold, early: true},
		"waiting to try again":  {away: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var line network
			cfg := line.config()
			cfg.MinBackoff, cfg.MaxBackoff, cfg.RequestTimeout = time.Hour, time.Hour, time.Hour
			cfg.OnReconnect = func(error, int64) { cancel() }
			asked := make(chan struct{})
			r := overHTTP(t, cfg, func(api http.Handler) http.Handler {
				if row.middleware != nil {
					api = row.middleware(api)
				}
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					close(asked)
					api.ServeHTTP(w, r)
				})
			})
			end := func() {
				<-asked
				cancel()
			}
			if row.early {
				go end()
			}
			var ended []error
			finished := make(chan struct{})
			go func() {
				defer close(finished)
				for event, err := range r.Watch(ctx, ports.WatchOptions{}) {
					if err != nil {
						ended = append(ended, err)
					}
					if event.Type == ports.EventSynced && row.away {
						line.cut()
					} else if event.Type == ports.EventSynced {
						go end()
					}
				}
			}()
			select {
			case <-finished:
			case <-time.After(10 * time.Second):
				require.Fail(t, "the watch goes on though its context has ended")
			}
			require.Equal(t, []error{context.Canceled}, ended)
		})
	}
}

// scripted is a store whose watches tell the steps above their revision.
type scripted struct {
	*memstore.Store
	steps []step
}

type step struct {
	event ports.RuntimeEvent
	err   error
}

func (s scripted) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		for _, step := range s.steps {
			if step.event.Revision > options.FromRevision && !yield(step.event, step.err) {
				return
			}
		}
		<-ctx.Done()
		yield(ports.RuntimeEvent{}, ctx.Err())
	}
}

// Damage and revisions of many events come once and in order, however often
// the line breaks between them.
func TestWatchReportsDamageOnceAndGoesOn(t *testing.T) {
	t.Parallel()
	change := func(revision int64, game string, last bool) step {
		record := running(game)
		return step{event: ports.RuntimeEvent{Type: ports.EventUpserted, Revision: revision, GameID: game, After: &record, Last: last}}
	}
	damage := func(revision int64, game, key string) step {
		return step{ports.RuntimeEvent{Revision: revision, GameID: game}, &runtime.CorruptError{Key: key, GameID: game, Reason: "is not JSON"}}
	}
	script := []step{
		damage(2, "a", "/runtimes/a"),
		change(3, "b", false), change(3, "c", false), damage(3, "d", "/runtimes/d"), change(3, "e", true),
		damage(4, "", "/runtimes/x/y"), damage(4, "", "/runtimes/x/z"), damage(4, "g", "/runtimes/g"), change(4, "h", true),
		damage(5, "a", "/runtimes/a"),
		change(6, "a", true),
	}
	snapshot := []step{
		damage(6, "a", "/runtimes/a"),
		{event: ports.RuntimeEvent{Type: ports.EventSnapshot, Revision: 6, GameID: "b", After: change(6, "b", false).event.After}},
		damage(6, "c", "/runtimes/c"),
		{event: ports.RuntimeEvent{Type: ports.EventSynced, Revision: 6, Last: true}},
	}
	breaks := []int{1000, 1000, 1000, 1500, 2000, 1300, 1700, 900, 2500, 1000, 1200, 1900}
	for name, row := range map[string]struct {
		script []step
		from   int64
		allow  []int
	}{
		"changes":                    {script: script, from: 1},
		"changes over a bad line":    {script, 1, breaks},
		"a snapshot":                 {script: snapshot},
		"a snapshot over a bad line": {snapshot, 0, breaks[:3]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := network{allow: row.allow}
			var place replaceable
			r := overHTTP(t, line.config(), place.middleware)
			place.replace(t, scripted{r.store, row.script})
			var got []step
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for event, err := range r.Watch(ctx, ports.WatchOptions{FromRevision: row.from}) {
				require.NoError(t, ctx.Err(), "the last step did not come; got %+v", got)
				got = append(got, step{event, err})
				if event.Revision == 6 && event.Last {
					break
				}
			}
			require.Equal(t, row.script, got)
		})
	}
}
