// Package ports declares the interfaces between the core and the outside, one per file,
// with their inputs and outputs. The doc comments are contracts; packages
// testkit/storetest and testkit/enginetest have a test for each sentence. Adapters
// implement the ports; services, workers and the API call them. This package imports
// only the domain.
//
// Files:
//
//	runtimerecordstore.go  RuntimeRecordStore: Get, Upsert, UpdateStatus, List
//	runtimewriter.go       RuntimeWriter: writes with preconditions, origin and fence
//	runtimereader.go       RuntimeReader: reads with revisions, lists in pages
//	runtimeledger.go       RuntimeLedger: the recent writes of a game
//	runtimewatcher.go      RuntimeWatcher: the stream of changes
//	storeinspector.go      StoreIdentity, StoreInspector: identity, revision, consistency check
//	checkreport.go         CheckReport: the result of that check
//	recordfacade.go        RecordFacade: implements RuntimeRecordStore for adapters
//	intentstore.go         IntentStore: the operation intent of each game
//	noderegistry.go        NodeRegistry: present nodes and leaders
//	nodesession.go         NodeSession: the presence of this node
//	election.go            Election: leadership
//	engine.go              Engine: the containers of one node
//	healthprober.go        HealthProber: health checks of running games
//	executor.go            Executor: operations on the games of this node
//	origin.go              Origin: actor, reason and operation id of a write
//	pages.go               AllPages: iterates over the pages of a list
//	snapshotreader.go      SnapshotReader: records that a store shares with its callers
//	scan.go                ScanRecords: iterates over records without a copy of each
//	auditlog.go            AuditLog: the record of mutations and denied requests
//	validation.go          the Validate methods and the limits that they check
package ports
