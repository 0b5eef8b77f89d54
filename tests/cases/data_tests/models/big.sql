{{ config(materialized='view') }}
select * from {{ source('raw', 'orders') }} where amount > 0
