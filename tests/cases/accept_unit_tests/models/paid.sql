{{ config(materialized='table') }}
select *, amount * 2 as twice from {{ source('raw', 'orders') }} where paid_at is not null
