"""The append-only event log: records, world logs, the shard journal, the data folder. It knows no game and no socket.

====================  ===================================================================================
`records`             the vocabulary: what a log says
`worldlog`            writing a world's log: frames, chain, files
`journal`             making it durable: one sync for all worlds of a shard
`reader`              reading a world's log, verified, with what is still in journals; following it
`recovery`            redo after a crash: what journals hold goes into world files
`verify`              checking every byte of a data folder
`store`               the data folder: lock, worlds, code and engines by digest
`json_form`           records as JSON, for people and their tools
`disk`, `errors`      what all of them do to disks, and what can go wrong
====================  ===================================================================================

The bytes are described in ``docs/reference/log-format.md``.
"""
