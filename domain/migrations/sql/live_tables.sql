-- How the tables that a live fills by thousands of rows a second are stored, cleaned and analysed.

-- An event's one change, from undecided to decided, stays on its page; so do those of stock and most of orders.
alter table inbox_event set (fillfactor = 50);
alter table stock_level set (fillfactor = 50);
alter table "order" set (fillfactor = 80);
-- A bundle's events are read whole and once: packing them costs more than the room.
alter table inbox_event alter column parts set storage external;
-- Every event leaves a dead row here, and soon.
alter table inbox_event set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
alter table inbox_undecided set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- Facts that are written once and read whole: as text that is known to be JSON they cost half as much to store as taken to pieces.
alter table claim alter column result type json using result::json;
alter table notice alter column data type json using data::json;
alter table order_event alter column data type json using data::json;
alter table audit_entry alter column detail type json using detail::json;

-- ANALYZE reads up to 30,000 rows of a table each time and sorts the values of each column: 5 ms a column, and half a second where they are long. No
-- statement chooses rows by these, so nothing is known of them: in 20,000 comments' rows that is three quarters of what ANALYZE costs.
alter table inbox_event alter column payload set statistics 0, alter column parts set statistics 0;
alter table social_comment alter column text set statistics 0, alter column permalink set statistics 0,
  alter column reply_token set statistics 0, alter column mentions set statistics 0;
alter table comment_revision alter column text set statistics 0, alter column mentions set statistics 0;
alter table claim alter column result set statistics 0, alter column text_hash set statistics 0;
alter table order_event alter column data set statistics 0;
alter table notice alter column data set statistics 0;
alter table platform_reply alter column text set statistics 0, alter column last_error set statistics 0;
alter table audit_entry alter column detail set statistics 0, alter column request_id set statistics 0;

-- These only grow, all in the same proportions: what is known of a table holds until it is a fifth larger, and in a live a smaller part comes at each look.
alter table inbox_event set (autovacuum_analyze_scale_factor = 0.2);
alter table social_comment set (autovacuum_analyze_scale_factor = 0.2);
alter table claim set (autovacuum_analyze_scale_factor = 0.2);
alter table buyer set (autovacuum_analyze_scale_factor = 0.2);
alter table "order" set (autovacuum_analyze_scale_factor = 0.2);
alter table order_line set (autovacuum_analyze_scale_factor = 0.2);
alter table order_event set (autovacuum_analyze_scale_factor = 0.2);
alter table payment_reminder set (autovacuum_analyze_scale_factor = 0.2);
alter table stock_movement set (autovacuum_analyze_scale_factor = 0.2);
alter table notice set (autovacuum_analyze_scale_factor = 0.2);
alter table platform_reply set (autovacuum_analyze_scale_factor = 0.2);
alter table audit_entry set (autovacuum_analyze_scale_factor = 0.2);
